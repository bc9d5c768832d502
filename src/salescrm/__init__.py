"""A complete sales CRM inside your own program."""
