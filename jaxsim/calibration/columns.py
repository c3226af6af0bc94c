"""Which column of a shop's file holds what: named by the user, or found by its usual name."""

from collections.abc import Iterable
from pathlib import Path

from jaxsim.errors import UserError, nearest

ROLES = ("date", "product", "price", "customer", "segment", "cost", "group", "quantity")
NEEDED = ROLES[:3]

USUAL: dict[str, tuple[str, ...]] = {
    "date": (
        "date day invoicedate orderdate transactiondate transactiondt saledate salesdate "
        "purchasedate createdat timestamp datetime ts datum buchungsdatum belegdatum fecha data",
    ),
    "product": (
        "product productid productno sku stockcode item itemid article articleid artikel producto "
        "produit prodotto upc ean lineitemname lineitemsku",
        "productname itemname description",
    ),
    "price": (
        "price unitprice lineitemprice saleprice salesprice itemprice preis precio prix prezzo",
        "amount total paid linetotal netsales grosssales net gross revenue sales betrag monto "
        "umsatz montant importo",
    ),
    "customer": ("customer customerid customerno client clientid card cardid member memberid",),
    "segment": ("segment customersegment agegroup",),
    "cost": ("cost unitcost costprice cogs",),
    "group": ("category productcategory group productgroup department subclass productsubclass",),
    "quantity": ("quantity qty units pieces lineitemquantity menge cantidad",),
}
"""Usual names of each role's column, in lower case without blanks and signs: all of one rank in one
text, the more telling ranks first."""


class CalibrationError(UserError):
    """Transactions that cannot be used: the message names file, column, value, what is allowed."""


def parse_columns(pairs: tuple[str, ...]) -> dict[str, str]:
    """("date=Day", …) to {"date": "Day", …}; empty where none are given. Raises `CalibrationError`
    for an unknown role."""
    columns = {}
    for pair in pairs:
        role, _, column = pair.partition("=")
        if role not in ROLES or not column:
            raise CalibrationError(
                f"columns: {pair!r}; allowed: ROLE=COLUMN with ROLE one of {', '.join(ROLES)}"
            )
        columns[role] = column
    missing = [role for role in NEEDED if role not in columns]
    if columns and missing:
        raise CalibrationError(f"columns: no {missing[0]}; needed: {', '.join(NEEDED)}")
    return columns


def usual_columns(header: list[str], path: Path) -> dict[str, str]:
    """The column of each role by its usual name; optional roles only where there is one. Raises
    `CalibrationError` where a needed one is missing, or where several have equal claims."""
    found: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for role, ranks in USUAL.items():
        claims = _claims(header, ranks)
        if len(claims) > 1:
            unclear[role] = " or ".join(map(repr, claims))
        elif claims:
            found[role] = claims[0]
        elif role in NEEDED:
            unclear[role] = f"one of {_listed(header)}"
    if unclear:
        role, choices = next(iter(unclear.items()))
        known = " ".join(f"{each}={found.get(each, 'ITS_COLUMN')!s}" for each in NEEDED)
        raise CalibrationError(
            f"{path}: columns: which is the {role}, {choices}? "
            f"Say --columns {known}, with the names in quotes where they have blanks"
        )
    return found


def check_columns(columns: dict[str, str], header: list[str], path: Path) -> None:
    """Raises `CalibrationError` for a column that is not there, naming the nearest, or there
    twice."""
    for role, column in columns.items():
        if header.count(column) > 1:
            raise CalibrationError(
                f"{path}: column {column!r} for {role} is there {header.count(column)} times; "
                "allowed: a name that only one column has"
            )
        if column not in header:
            near = nearest(column, header)
            hint = f"did you mean {near}? " if near else ""
            raise CalibrationError(
                f"{path}: no column {column!r} for {role}; {hint}it has: "
                f"{_listed(header)}; say --columns {role}=ONE_OF_THEM"
            )


def _listed(header: list[str], most: int = 40) -> str:
    names = [name if len(name) <= most else f"{name[:most]}..." for name in header[:most]]
    return ", ".join([*names, "..."] if len(header) > most else names)


def _claims(header: list[str], ranks: Iterable[str]) -> list[str]:
    """The columns of the first rank that has any."""
    for rank in ranks:
        claims = [column for column in header if _plain(column) in rank.split()]
        if claims:
            return claims
    return []


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
