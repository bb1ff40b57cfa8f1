"""Problems of plugins, and whose they are."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, order=True)
class Owner:
    """Who brought a plugin: the installed distribution, and its entry point in the group `ap`."""

    distribution: str
    version: str
    plugin: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a plugin, and what to do about it; the rest of the program goes on.

    owners: whose plugin it is; several where they clash.
    """

    owners: tuple[Owner, ...]
    what: str
    hint: str = ""

    @property
    def distribution(self) -> str:
        """Names of the distributions, for a message."""
        return " and ".join(dict.fromkeys(owner.distribution for owner in self.owners))

    @property
    def plugin(self) -> str:
        """Names of the entry points, for a message."""
        return " and ".join(dict.fromkeys(owner.plugin for owner in self.owners))

    def __str__(self) -> str:
        named = self.plugin == self.distribution
        return f"plugin {self.plugin}{'' if named else f' of {self.distribution}'}: {self.what}"
