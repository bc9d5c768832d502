"""What every command is told after its name: which store, whose records, which policy, which language, which form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar, get_args

import attrs
import click

from salescrm.cli.showing import problem_lines, told
from salescrm.crm import Crm, connect
from salescrm.errors import CrmError, Invalid, Misconfigured, SchemaOutdated
from salescrm.imports import recall
from salescrm.labels import Language
from salescrm.policy import Policies, Policy, load

__all__ = ["DEFAULT_URL", "FILE", "Chosen", "common", "speaking"]

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL: Final = "sqlite:///salescrm.db"
#: A file that must be there.
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@attrs.frozen(kw_only=True)
class Chosen:
    """The answers to the common options."""

    url: str
    tenant: str
    policies: tuple[Policy, ...]
    lang: Language
    json: bool
    member: str

    @contextmanager
    def crm(self, *, prepare: bool = False) -> Iterator[Crm]:
        """
        The Crm to read with, knowing the pipelines that imports have brought.

        With *prepare*, the one to bring data with: an empty database is set up on the way, one of another version is
        left alone and named; and what an earlier import has brought does not stand in the way of a plan that has changed.
        """
        with connect(self.url, policy=self.policies, tenant=self.tenant) as crm:
            try:
                crm.verify()
            except SchemaOutdated as problem:
                if problem.found is not None:
                    raise
                if not prepare:
                    told(
                        self.say(
                            f"{self.shown_url} is empty: import something first, or run salescrm migrate",
                            f"{self.shown_url} 是空的：请先导入数据，或运行 salescrm migrate",
                        )
                    )
                    raise click.exceptions.Exit(1) from problem
                crm.migrate()
                told(
                    self.say(
                        f"Set up the empty database {self.shown_url}", f"已初始化空数据库 {self.shown_url}"
                    )
                )
            yield crm if prepare else recall(crm, by=self.member)

    @property
    def policy(self) -> Policy:
        """The version of the policy that holds now."""
        return Policies(self.policies).at(datetime.now(UTC))

    @property
    def shown_url(self) -> str:
        """The address without a password in it."""
        head, at, tail = self.url.rpartition("@")
        scheme, _, user = head.partition("://")
        return f"{scheme}://{user.split(':')[0]}:***@{tail}" if at and ":" in user else self.url

    def say(self, en: str, zh: str) -> str:
        """One of the two."""
        return zh if self.lang == "zh" else en


def common(url: str = DEFAULT_URL, lang: Language | None = None) -> Callable[[F], F]:
    """The options of a command that works on a store; the command gets a `Chosen`. *lang* is its own default language."""

    def decorate(command: F) -> F:
        @wraps(command)
        def run(
            url: str,
            tenant: str,
            policy: tuple[Path, ...],
            chosen_lang: Language | None,
            as_json: bool,
            member: str,
            **rest: Any,
        ) -> Any:
            with speaking(chosen_lang or lang or "en"):
                policies = tuple(map(load, policy)) or (Policy(),)
                now = Policies(policies).at(datetime.now(UTC))
            chosen = Chosen(
                url=url,
                tenant=tenant,
                policies=policies,
                lang=chosen_lang or lang or now.language,
                json=as_json,
                member=member,
            )
            with speaking(chosen.lang):
                return command(chosen, **rest)

        options = (
            click.option("--url", default=url, show_default=True, help="The store's address."),
            click.option("--tenant", default="main", show_default=True, help="Whose records."),
            click.option(
                "--policy",
                type=FILE,
                multiple=True,
                help="The rules, TOML or JSON; repeated for each version of them; those that ship otherwise.",
            ),
            language(),
            as_json(),
            click.option(
                "--as", "member", default="salescrm", show_default=True, help="The member who acts."
            ),
        )
        for option in reversed(options):
            run = option(run)
        return run  # type: ignore[return-value]  # click's decorators keep the function

    return decorate


def language() -> Callable[[F], F]:
    """``--lang``, as *chosen_lang*."""
    return click.option(
        "--lang", "chosen_lang", type=click.Choice(get_args(Language)), help="The policy's otherwise."
    )


def as_json() -> Callable[[F], F]:
    """``--json``, as *as_json*."""
    return click.option("--json", "as_json", is_flag=True, help="JSON, and nothing else, on standard output.")


@contextmanager
def speaking(lang: Language) -> Iterator[None]:
    """Errors become sentences on standard error: exit code 2 where what was asked is wrong, 1 otherwise."""
    try:
        yield
    except CrmError as problem:
        _leave(problem_lines(problem, lang), 2 if isinstance(problem, Invalid | Misconfigured) else 1)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        _leave([f"{where}{problem.strerror or problem}"], 1)


def _leave(lines: list[str], code: int) -> NoReturn:
    for line in lines:
        told(line)
    raise click.exceptions.Exit(code)
