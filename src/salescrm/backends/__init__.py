"""The engines: memory, SQL, MongoDB; each is imported only when it is connected to."""
