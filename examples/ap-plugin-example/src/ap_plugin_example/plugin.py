"""What this package offers. It imports nothing heavy, so that `ap --help` stays instant."""

from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import ImportanceOffer, ModelAdapterOffer


@hookimpl
def ap_importances() -> list[ImportanceOffer]:
    """Offer the distance to the other filters of a layer."""
    return [
        ImportanceOffer(
            name="fpgm",
            summary="distance to the layer's other filters (geometric median)",
            load="ap_plugin_example.criteria:filter_distance",
        )
    ]


@hookimpl
def ap_model_adapters() -> list[ModelAdapterOffer]:
    """Offer the family of networks that network.py defines."""
    return [
        ModelAdapterOffer(
            name="toymixer",
            summary="convolutional mixers for small images",
            load="ap_plugin_example.adapter:ToyMixerAdapter",
            priority=20,
        )
    ]
