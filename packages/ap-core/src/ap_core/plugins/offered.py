"""Offers of one kind by their names: checked records, with their owners kept beside them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, overload

from ap_core.errors import PluginError, unknown_name
from ap_core.plugins.calling import Answering, answered
from ap_core.plugins.loading import Returned
from ap_core.plugins.offers import FunctionOffer, Offer
from ap_core.plugins.problems import Owner, Problem

OfferT = TypeVar("OfferT", bound=Offer[Any])
DefaultT = TypeVar("DefaultT")

CLASH_HINT = "neither can be used: uninstall one of them"


@dataclass(frozen=True, kw_only=True)
class Owned(Generic[OfferT]):
    """An offer and who made it; where several claim the name, none can be used."""

    offer: OfferT
    owners: tuple[Owner, ...]


class Offers(Mapping[str, OfferT]):
    """Offers of one kind by their names, frozen.

    kind: in the singular, for messages. Names that several plugins claim are left out of the
    iteration, and looking them up raises.
    """

    def __init__(self, kind: str, owned: Mapping[str, Owned[OfferT]]) -> None:
        self.kind = kind
        self._owned = dict(owned)

    def __getitem__(self, name: str) -> OfferT:
        """Offer of this name.

        Raises: UnknownNameError with the nearest names; PluginError where two plugins claim it.
        """
        owned = self._owned.get(name)
        if owned is None:
            raise unknown_name(self.kind, name, self)
        if len(owned.owners) > 1:
            raise PluginError(_clash(self.kind, name, owned.owners), hint=CLASH_HINT)
        return owned.offer

    @overload
    def get(self, name: str, /) -> OfferT | None: ...
    @overload
    def get(self, name: str, /, default: OfferT | DefaultT) -> OfferT | DefaultT: ...
    def get(
        self, name: str, /, default: OfferT | DefaultT | None = None
    ) -> OfferT | DefaultT | None:
        """Offer of this name, or the default where there is none; a clash raises all the same."""
        return self[name] if name in self._owned else default

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __iter__(self) -> Iterator[str]:
        return (name for name, owned in self._owned.items() if len(owned.owners) == 1)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def require(self, *names: str) -> None:
        """Raise what looking up a name raises, for the first that cannot be had."""
        for name in names:
            self[name]

    def owner(self, name: str) -> Owner:
        """Who offers it. Raises: as looking it up does."""
        self[name]
        return self._owned[name].owners[0]


def collect(
    returned: Iterable[Returned], kind: str, record_type: type[OfferT]
) -> tuple[Offers[OfferT], list[Problem]]:
    """Offers by name, in alphabetical order, and the records that are wrong or clash."""
    problems: list[Problem] = []
    claims: dict[str, list[tuple[Owner, OfferT]]] = defaultdict(list)
    for each in returned:
        fault = _fault(each.record, record_type)
        if fault is None:
            offer: OfferT = each.record  # type: ignore[assignment]
            claims[offer.name].append((each.owner, _guarded(offer, kind, each.owner)))
            continue
        what = f"{each.hook} returned {each.record!r}, {fault}"
        hint = f"return records of type {record_type.__name__}"
        problems.append(Problem(owners=(each.owner,), what=what, hint=hint))
    owned: dict[str, Owned[OfferT]] = {}
    for name, claim in sorted(claims.items()):
        owners = tuple(sorted(owner for owner, _ in claim))
        owned[name] = Owned(offer=claim[0][1], owners=owners)
        if len(owners) > 1:
            what = _clash(kind, name, owners)
            problems.append(Problem(owners=owners, what=what, hint=CLASH_HINT))
    return Offers(kind, owned), problems


def _clash(kind: str, name: str, owners: Iterable[Owner]) -> str:
    return f"the {kind} {name!r} is offered by {' and by '.join(map(str, owners))}"


def _fault(record: object, record_type: type[OfferT]) -> str | None:
    if not isinstance(record, record_type):
        return f"which is no {record_type.__name__}"
    if not isinstance(record.name, str) or not record.name or record.name.split() != [record.name]:
        return "whose name is no single word"
    if isinstance(record.load, str):
        return None if ":" in record.load else "whose import string is not 'module:attribute'"
    return None if callable(record.load) else "whose `load` is neither function nor import string"


def _guarded(offer: OfferT, kind: str, owner: Owner) -> OfferT:
    """Same offer, but whatever its plugin raises, making the thing or being called, names it."""
    about = f"the {kind} {offer.name!r}"

    def make() -> object:
        made = answered(offer.make, about=about, owner=owner, failure="cannot be made")
        if isinstance(offer, FunctionOffer) and callable(made):
            return Answering(made, about=about, owner=owner)
        return made

    function: Callable[[], object] = make
    return replace(offer, load=function)
