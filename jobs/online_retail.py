"""The Online Retail file (D. Chen, UCI Machine Learning Repository, 2015): invoice lines to events and items.

A line becomes a purchase, or a refund when its invoice is a cancellation (its number starts with C). What
the cleaning rules put aside comes as a `BadRow` with the rule as its reason. Prices and quantities far from
their kind are not judged here: the job's own outlier rules see them.

The lines of one invoice share a timestamp, and their order in the file tells much of what was bought
together. That order is no behaviour of a customer, so the lines of one customer and time are shuffled by a
fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from jobs.bad_row import BadRow, FileRefused, raw_json
from jobs.product_type import ProductTypes
from schemas.records import Context, Event, Item

RETAIL_COLUMNS: Final = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
SHUFFLE_SEED: Final = 20_111_209
CURRENCY: Final = "GBP"
_INVOICE: Final = r"\s*C?\d+\s*"
_PRODUCT: Final = r"\s*\d{5}[A-Za-z]*\s*"
_BATCH_ROWS: Final = 8_192
_DATES: Final = [pa_csv.ISO8601, "%m/%d/%Y %H:%M"]

COUNTRIES: Final = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
    "Channel Islands": "JE", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE",
    "Finland": "FI", "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS",
    "Israel": "IL", "Italy": "IT", "Japan": "JP", "Lebanon": "LB", "Lithuania": "LT", "Malta": "MT",
    "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA",
    "Singapore": "SG", "Spain": "ES", "Sweden": "SE", "Switzerland": "CH", "USA": "US",
    "United Arab Emirates": "AE", "United Kingdom": "GB",
}  # fmt: skip
"""ISO 3166-1 codes of the file's country names; `European Community` and `Unspecified` are no country."""


class RetailRule(StrEnum):
    """Why an invoice line makes no event; the first rule that applies is the reason."""

    NO_CUSTOMER = "no_customer"
    """A line without a customer: nobody's behaviour."""
    NOT_AN_INVOICE = "not_an_invoice"
    """An invoice number that is neither digits nor C and digits, such as the adjustment of bad debt."""
    NOT_A_PRODUCT = "not_a_product"
    """A stock code that is not five digits with optional letters: postage, fees, samples, gift vouchers."""
    NO_PRICE = "no_price"
    """A price that is missing, zero or less: free goods and corrections."""
    RETURN_WITHOUT_CANCELLATION = "return_without_cancellation"
    """No cancellation, yet a quantity of zero or less: stock written off or corrected."""
    CANCELLATION_OF_NOTHING = "cancellation_of_nothing"
    """A cancellation that takes nothing back: a quantity of zero or more."""
    NO_TIME = "no_time"
    """A line without a date."""


def is_online_retail(names: tuple[str, ...]) -> bool:
    """Whether a file of these columns is the Online Retail file or one like it."""
    return set(RETAIL_COLUMNS) <= set(names)


def retail_events(path: Path) -> Iterator[Event | BadRow]:
    """Purchases, refunds and rejected lines in order of time. The whole file is in memory, about 200 MB."""
    lines = _read(path)
    reasons = _reasons(lines)
    file = str(path)
    order = _shuffled_within_customer_and_time(lines)
    for start in range(0, len(order), _BATCH_ROWS):
        part = lines.iloc[order[start : start + _BATCH_ROWS]]
        rejected = reasons.iloc[order[start : start + _BATCH_ROWS]].tolist()
        columns = [part[name].tolist() for name in ("row", "line", "time", *RETAIL_COLUMNS)]
        for reason, cells in zip(rejected, zip(*columns, strict=True), strict=True):
            yield _event(cells) if reason is None else _rejected(file, RetailRule(reason), cells)


def retail_items(path: Path) -> Iterator[Item]:
    """The products that customers bought or gave back: usual title, median price (GBP), product type."""
    lines = _read(path)
    sold = lines[_reasons(lines).isna()]
    sold = sold.assign(
        code=sold["StockCode"].astype(object).str.strip().str.upper(),
        title=sold["Description"].astype(object).fillna("").str.split().str.join(" "),
    )
    counted = sold[sold["title"] != ""].groupby(["code", "title"]).size().reset_index(name="lines")
    usual = counted.sort_values(["lines", "title"], ascending=[False, True]).drop_duplicates("code")
    titles = dict(zip(usual["code"], usual["title"], strict=True))
    types = ProductTypes(titles.values())
    for code, price in sold.groupby("code")["UnitPrice"].median().items():
        title = titles.get(str(code), "")
        yield Item(
            item_id=str(code),
            title=title,
            category=types.of(title),
            price=round(float(price), 2),
            currency=CURRENCY,
        )


def _read(path: Path) -> pd.DataFrame:
    texts = {name: pa.string() for name in ("InvoiceNo", "StockCode", "Description", "Country")}
    try:
        if ".parquet" in path.suffixes:
            table = pq.read_table(path, columns=list(RETAIL_COLUMNS))
        else:
            convert = pa_csv.ConvertOptions(
                column_types={**texts, "InvoiceDate": pa.timestamp("us")}, timestamp_parsers=_DATES,
                include_columns=list(RETAIL_COLUMNS), strings_can_be_null=False,
            )  # fmt: skip
            table = pa_csv.read_csv(path, convert_options=convert)
        lines: pd.DataFrame = pa.table(
            {name: column.cast(texts[name]) if name in texts else column for name, column in _columns(table)}
        ).to_pandas(strings_to_categorical=True)  # rules then look at each distinct text once
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FileRefused(f"{path}: has Online Retail's columns, but: {error}") from error
    lines["row"] = np.arange(1, len(lines) + 1)
    lines["line"] = lines.groupby("InvoiceNo", sort=False, observed=True).cumcount() + 1
    # The shop's clock had no zone in the file; read as UTC, so that its days stay days.
    lines["time"] = lines["InvoiceDate"].astype("datetime64[ms]").astype("int64")
    return lines


def _columns(table: Any) -> Iterator[tuple[str, Any]]:
    return ((name, table.column(name)) for name in RETAIL_COLUMNS)


def _reasons(lines: pd.DataFrame) -> pd.Series[Any]:
    """The rule that rejects each line, None where it makes an event."""
    cancels = _is(lines["InvoiceNo"], r"\s*C.*")
    rules = {
        RetailRule.NO_CUSTOMER: lines["CustomerID"].isna(),
        RetailRule.NOT_AN_INVOICE: ~_is(lines["InvoiceNo"], _INVOICE),
        RetailRule.NOT_A_PRODUCT: ~_is(lines["StockCode"], _PRODUCT),
        RetailRule.NO_PRICE: ~(lines["UnitPrice"] > 0),
        RetailRule.RETURN_WITHOUT_CANCELLATION: ~cancels & ~(lines["Quantity"] > 0),
        RetailRule.CANCELLATION_OF_NOTHING: cancels & ~(lines["Quantity"] < 0),
        RetailRule.NO_TIME: lines["InvoiceDate"].isna(),
    }
    reasons = pd.Series([None] * len(lines), index=lines.index, dtype=object)
    for rule, applies in reversed(rules.items()):  # the first rule is written last, and stays
        reasons[applies] = rule.value
    return reasons


def _is(texts: pd.Series[Any], pattern: str) -> pd.Series[bool]:
    return texts.str.fullmatch(pattern).fillna(False).astype(bool)


def _shuffled_within_customer_and_time(lines: pd.DataFrame) -> Any:
    chance = np.random.default_rng(SHUFFLE_SEED).random(len(lines))
    return np.lexsort((chance, lines["CustomerID"].fillna(-1), lines["time"]))


def _event(cells: tuple[Any, ...]) -> Event:
    _row, line, time, invoice, code, _description, quantity, _date, price, customer, country = cells
    invoice = invoice.strip()
    return Event(
        event_id=f"{invoice}-{line}",
        user_id=str(int(customer)),
        type="refund" if invoice.startswith("C") else "purchase",
        time=time,
        item_id=code.strip().upper(),
        value=float(price),
        quantity=abs(float(quantity)),
        order_id=invoice,
        currency=CURRENCY,
        context=Context(country=COUNTRIES.get(country)),
    )


def _rejected(file: str, rule: RetailRule, cells: tuple[Any, ...]) -> BadRow:
    row, _line, time, *original = cells
    raw = {
        name: None if value != value else value for name, value in zip(RETAIL_COLUMNS, original, strict=True)
    }
    detail = f"{file} row {row}: {rule.value.replace('_', ' ')}"
    timed = None if rule is RetailRule.NO_TIME else time
    return BadRow(file=file, row=row, reason=rule.value, detail=detail, raw=raw_json(raw), time=timed)
