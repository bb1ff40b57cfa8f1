"""What ap_models offers: adapters, importances, counters."""

from collections.abc import Iterable

from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import ImportanceOffer, MeterOffer, ModelAdapterOffer


@hookimpl
def ap_model_adapters() -> Iterable[ModelAdapterOffer]:
    """Adapters of the families that are tuned, and one for all that can be traced."""
    return [
        ModelAdapterOffer(
            name="resnet",
            summary="ResNets of timm and torchvision",
            load="ap_models.adapters.resnet:ResNetAdapter",
            priority=10,
        ),
        ModelAdapterOffer(
            name="convnext",
            summary="ConvNeXts of timm and torchvision",
            load="ap_models.adapters.convnext:ConvNeXtAdapter",
            priority=10,
        ),
        ModelAdapterOffer(
            name="vit",
            summary="vision transformers and DeiTs of timm and torchvision",
            load="ap_models.adapters.vit:VisionTransformerAdapter",
            priority=10,
        ),
        ModelAdapterOffer(
            name="generic",
            summary="any other network that the dependency graph can trace",
            load="ap_models.adapters.generic:GenericAdapter",
            priority=-100,
        ),
    ]


@hookimpl
def ap_importances() -> Iterable[ImportanceOffer]:
    """Criteria from the literature."""
    return [
        ImportanceOffer(
            name="l1",
            summary="sum of absolute weights",
            load="ap_models.importances.magnitude:l1",
        ),
        ImportanceOffer(
            name="l2",
            summary="Euclidean norm of the weights; the default without data",
            load="ap_models.importances.magnitude:l2",
        ),
        ImportanceOffer(
            name="bn_scale",
            summary="absolute scale of the batch norms",
            load="ap_models.importances.magnitude:bn_scale",
        ),
        ImportanceOffer(
            name="random",
            summary="uniform noise, drawn by seed: the baseline to beat",
            load="ap_models.importances.magnitude:uniform",
            control=True,
        ),
        ImportanceOffer(
            name="taylor",
            summary="first-order change of the loss; the default with data",
            load="ap_models.importances.sensitivity:taylor",
            needs_data=True,
            additive=True,
        ),
        ImportanceOffer(
            name="fisher",
            summary="second-order change of the loss, by the diagonal Fisher information",
            load="ap_models.importances.sensitivity:fisher",
            needs_data=True,
            additive=True,
        ),
    ]


@hookimpl
def ap_meters() -> Iterable[MeterOffer]:
    """Counters of MACs and parameters."""
    return [
        MeterOffer(
            name="macs",
            summary="multiply-accumulates, by our definition and torch-pruning's",
            load="ap_models.counters:macs_meter",
        ),
        MeterOffer(
            name="params",
            summary="number of parameters",
            load="ap_models.counters:params_meter",
        ),
    ]
