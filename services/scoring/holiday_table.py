"""Makes `policies/holidays.json` from the package `holidays`: `python -m services.scoring.holiday_table`.

The table is kept in the tree, so that scores do not depend on which version of the package a machine has.
"""

from __future__ import annotations

import json
from typing import Final

import holidays
import yaml

from services.scoring.policy_files import HOLIDAYS, SHIPPED

YEARS: Final = range(2000, 2041)


def table() -> dict[str, list[int]]:
    """Country → proleptic ordinals of its nation-wide public holidays, ascending."""
    regions = yaml.safe_load((SHIPPED.parent / "regions.yaml").read_text("utf-8"))
    countries = sorted({region["holidays"] for region in regions.values() if "holidays" in region})
    return {
        country: sorted(day.toordinal() for day in holidays.country_holidays(country, years=YEARS))
        for country in countries
    }


def text() -> str:
    rows = (f"  {json.dumps(country)}: {json.dumps(days)}" for country, days in table().items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    HOLIDAYS.write_text(text(), "utf-8")
