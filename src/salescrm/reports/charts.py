"""Bars as a small drawing of our own: SVG without scripts, styles or fonts from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final
from unicodedata import east_asian_width

import attrs

__all__ = ["Chart", "Series"]

_COLORS: Final = ("#4c78a8", "#f58518", "#9aa0a6")
_FONT: Final = 12
_THICK: Final = 14
_GAP: Final = 8
_BARS: Final = 420
_TOP: Final = 46


@attrs.frozen
class Series:
    """What is shown of every bar's group: a *name*, and one value per group, none of them below zero."""

    name: str
    values: tuple[float, ...]


@attrs.frozen(kw_only=True)
class Chart:
    """Horizontal bars: for each of *labels* one of each of *series*, on one scale."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def svg(self) -> str:
        """The drawing as an ``<svg>`` element; everything from outside is escaped, text has the colour of its surroundings."""
        left = 10 + max((_width(label) for label in self.labels), default=0)
        height = len(self.series) * _THICK + _GAP
        longest = max((value for one in self.series for value in one.values), default=0)
        parts = [
            f'<text x="4" y="16" font-weight="600">{escape(self.title)}</text>',
            *self._legend(),
        ]
        for row, label in enumerate(self.labels):
            top = _TOP + row * height
            middle = top + (height - _GAP) / 2
            parts.append(
                f'<text x="{left - 6:.0f}" y="{middle:.1f}" text-anchor="end" dominant-baseline="central">'
                f"{escape(label)}</text>"
            )
            for number, one in enumerate(self.series):
                value, at = one.values[row], top + number * _THICK
                wide = _BARS * value / longest if longest else 0.0
                parts.append(
                    f'<rect x="{left:.0f}" y="{at}" width="{wide:.1f}" height="{_THICK - 2}" '
                    f'fill="{_COLORS[number % len(_COLORS)]}"><title>{escape(one.name)}: {_number(value)}</title></rect>'
                    f'<text x="{left + wide + 4:.1f}" y="{at + _THICK / 2 - 1:.1f}" '
                    f'dominant-baseline="central">{_number(value)}</text>'
                )
        width, tall = left + _BARS + 60, _TOP + len(self.labels) * height + 4
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{tall}" '
            f'viewBox="0 0 {width:.0f} {tall}" font-family="sans-serif" font-size="{_FONT}" fill="currentColor">'
            f"<title>{escape(self.title)}</title>{''.join(parts)}</svg>"
        )

    def _legend(self) -> list[str]:
        if len(self.series) == 1:
            return [f'<text x="4" y="34" opacity=".7">{escape(self.series[0].name)}</text>']
        parts, x = [], 4.0
        for number, one in enumerate(self.series):
            parts.append(
                f'<rect x="{x:.0f}" y="25" width="10" height="10" fill="{_COLORS[number % len(_COLORS)]}"/>'
                f'<text x="{x + 14:.0f}" y="34">{escape(one.name)}</text>'
            )
            x += 14 + _width(one.name) + 18
        return parts

    def _repr_html_(self) -> str:
        return self.svg


def _width(text: str) -> float:
    """About how wide *text* is drawn."""
    return _FONT * sum(1.05 if east_asian_width(one) in "WF" else 0.62 for one in text)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
