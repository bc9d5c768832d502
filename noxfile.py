"""What CI and a contributor run, each in an environment of its own: `nox -l` lists it, `nox -s tests-3.12` runs one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nox

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    found[1]
    for line in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
]

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
# "Each Python found": a machine need not have them all.
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs"]


def install_wheel(session: nox.Session, extras: str) -> None:
    """Install what a user would get: the wheel, not the checkout."""
    session.install("build")
    wheels = Path(session.create_tmp()).resolve()
    for old in wheels.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "build", "--wheel", "--outdir", str(wheels), silent=True)
    (wheel,) = wheels.glob("*.whl")
    session.install(f"salescrm[{extras}] @ {wheel.as_uri()}")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Everything, on every engine, against the built wheel."""
    install_wheel(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS)
def contract(session: nox.Session) -> None:
    """The contract suite alone: what a backend must keep, on every engine; give servers by SALESCRM_TEST_…_URL."""
    install_wheel(session, "test")
    session.run("python", "-m", "pytest", "tests/contract", *session.posargs)


@nox.session(python=PYTHONS[0])
def coverage(session: nox.Session) -> None:
    """Which lines no test runs."""
    install_wheel(session, "test")
    session.install("pytest-cov")
    session.run("python", "-m", "pytest", "--cov", "--cov-report=term-missing", *session.posargs)


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """mypy on all we write, pyright on what a user of the public names sees."""
    session.install("-e", ".[test]", "nox", "pyright")
    session.run("mypy")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "salescrm")


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Style, format, and the direction of imports."""
    session.install("-e", ".", "import-linter", "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """The documentation, without a warning."""
    session.install("-e", ".[all,docs]")
    session.run("mkdocs", "build", "--strict", "--site-dir", str(Path(session.create_tmp()) / "site"))


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """The table of ratios to hand-written code on the bare driver."""
    install_wheel(session, "bench")
    session.run("python", "-m", "bench", *session.posargs)
