"""Area and energy by component, as bars of several designs compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from archsim.report.pareto import COMPONENT_ENERGY
from archsim.report.quantities import applies

OTHER = "other"
SMALLEST_SHARE = 0.002  # components below it in every bar are drawn as one, "other"
MOST = 12  # components that are drawn, those with the largest share in some bar


def components(rows: Sequence[Mapping[str, Any]], prefix: str) -> pd.DataFrame:
    """Return components (index) by design (columns), in the table's unit.

    Parts of one owner stand together, owners and parts largest first.

    Parameters
    ----------
    prefix
        ``energy.`` or ``area.``.
    """
    suffix = "_pj" if prefix == COMPONENT_ENERGY else "_um2"
    frame = pd.DataFrame(
        {
            column: {
                str(name).removeprefix(prefix).removesuffix(suffix): float(value)
                for name, value in row.items()
                if str(name).startswith(prefix) and applies(value)
            }
            for column, row in enumerate(rows)
        }
    ).fillna(0.0)
    if frame.empty:
        return frame
    share = (frame / frame.sum()).max(axis=1)
    least = max(SMALLEST_SHARE, float(share.nlargest(MOST).min()))
    small = frame[share < least].sum()
    frame = frame[share >= least]
    owner = pd.Series([str(name).split(".")[0] for name in frame.index], index=frame.index)
    size = pd.DataFrame(
        {
            "owner": frame.groupby(owner).sum().max(axis=1)[owner].to_numpy(),
            "part": frame.max(axis=1),
        }
    )
    frame = frame.loc[size.sort_values(["owner", "part"], ascending=False, kind="stable").index]
    if small.any():
        frame.loc[OTHER] = small
    return frame
