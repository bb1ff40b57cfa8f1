"""The conformance kit on model adapters: it passes a good one, and finds what each bad one does."""

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch

from ap_core.contracts import Surgery, WeightsOrigin
from ap_core.testing import check_model_adapter

SMALL = {"num_classes": 7, "input_size": (1, 16, 16)}


@pytest.fixture
def good(example):
    """Class of the example's adapter."""
    return import_module("ap_plugin_example.adapter").ToyMixerAdapter


def check(adapter):
    check_model_adapter(adapter, ["toymixer/tiny"], **SMALL)


def found_in(adapter):
    with pytest.raises(AssertionError) as caught:
        check(adapter)
    return str(caught.value)


def test_a_good_adapter_passes(good):
    check(good())


def test_a_name_that_is_listed_twice_is_found(good):
    class Bad(good):
        def names(self):
            return ("toymixer/tiny", "toymixer/tiny")

    assert found_in(Bad()) == "names() repeats names"


def test_a_listed_name_that_resolves_to_nothing_is_found(good):
    class Bad(good):
        def names(self):
            return ("toymixer/huge",)

    assert found_in(Bad()) == "names() lists 'toymixer/huge', resolve() does not know it"


def test_an_adapter_that_takes_every_name_is_found(good):
    class Bad(good):
        def resolve(self, name):
            return name

    assert "takes a name that nobody has" in found_in(Bad())


def test_an_adapter_that_does_not_know_its_own_network_is_found(good):
    class Bad(good):
        def recognises(self, module):
            return False

    assert found_in(Bad()) == "it does not recognise its own toymixer/tiny"


def test_a_skeleton_with_weights_is_found(good):
    class Bad(good):
        def skeleton(self, request):
            return replace(self.load(request), origin=WeightsOrigin.NONE)

    assert "skeleton(): patches.weight is on cpu" in found_in(Bad())


def test_weights_that_heed_no_seed_are_found(good):
    class Bad(good):
        def load(self, request):
            self.seed = getattr(self, "seed", 0) + 1
            return super().load(replace(request, seed=self.seed))

    assert found_in(Bad()) == "load() with one seed gives two sets of weights"


def test_classes_that_were_not_asked_for_are_found(good):
    class Bad(good):
        def build(self, name, *, num_classes=None, **others):
            return super().build(name, num_classes=4, **others)

    assert found_in(Bad()) == "4 classes, not 7"


def test_a_trace_that_changes_the_network_is_found(good):
    class Bad(good):
        def trace(self, module, architecture):
            tracing = super().trace(module, architecture)
            module.train()
            return tracing

    assert "trace() of the skeleton changed training mode of" in found_in(Bad())


def with_costs(adapter, change):
    """Adapter of this class whose layers' costs are changed."""

    class Bad(adapter):
        def trace(self, module, architecture):
            tracing = super().trace(module, architecture)
            layers = tuple(change(layer) for layer in tracing.network.layers)
            return SimpleNamespace(network=replace(tracing.network, layers=layers))

    return Bad()


def scaled(terms, factor):
    return tuple(replace(term, coefficient=term.coefficient * factor) for term in terms)


def test_parameters_that_are_wrong_are_found(good):
    bad = with_costs(good, lambda layer: replace(layer, params=scaled(layer.params, 2)))
    assert "parameters by the cost model" in found_in(bad)


def test_macs_that_are_wrong_are_found(good):
    bad = with_costs(good, lambda layer: replace(layer, macs=scaled(layer.macs, 2)))
    assert "MACs by the cost model" in found_in(bad)


def test_costs_of_unknown_groups_are_found(good):
    def change(layer):
        odd = tuple(replace(term, groups=(*term.groups, "zz")) for term in layer.macs)
        return replace(layer, macs=odd)

    assert "names unknown groups {'zz'}" in found_in(with_costs(good, change))


def test_gradients_left_behind_are_found(good):
    class Bad(good):
        def score(self, module, *arguments, **others):
            scores = super().score(module, *arguments, **others)
            for parameter in module.parameters():
                parameter.grad = torch.zeros_like(parameter)
            return scores

    assert "score() with magnitude changed gradient of" in found_in(Bad())


def test_statistics_that_scoring_changed_are_found(good):
    class Bad(good):
        def score(self, module, *arguments, **others):
            module.patches_norm.running_mean += 1
            return super().score(module, *arguments, **others)

    assert "changed tensor patches_norm.running_mean" in found_in(Bad())


def test_scores_that_are_no_numbers_are_found(good):
    class Bad(good):
        def score(self, *arguments, **others):
            scores = super().score(*arguments, **others)
            return replace(scores, values={k: v * float("nan") for k, v in scores.values.items()})

    assert "is negative or not a number" in found_in(Bad())


def test_scores_that_are_missing_are_found(good):
    class Bad(good):
        def score(self, *arguments, **others):
            return replace(super().score(*arguments, **others), values={})

    assert "there is no score of patches by magnitude" in found_in(Bad())


def test_noise_that_leaves_a_constant_is_found(good):
    class Bad(good):
        def perturbed(self, module, *, seed):
            noisy = super().perturbed(module, seed=seed)
            torch.nn.init.zeros_(noisy.classifier.bias)
            return noisy

    assert found_in(Bad()) == "perturbed() leaves every element of classifier.bias at 0"


def test_noise_that_heeds_no_seed_is_found(good):
    class Bad(good):
        def perturbed(self, module, *, seed):
            self.calls = getattr(self, "calls", 0) + 1
            return super().perturbed(module, seed=self.calls)

    assert "perturbed() with one seed gives two networks" in found_in(Bad())


def test_noise_on_the_network_itself_is_found(good):
    class Bad(good):
        def perturbed(self, module, *, seed):
            module.classifier.bias.data += 1
            return super().perturbed(module, seed=seed)

    assert "perturbed() changed tensor classifier.bias" in found_in(Bad())


def test_a_blank_twin_with_weights_is_found(good):
    class Bad(good):
        def blank(self, module):
            return self.copy(module)

    assert "blank(): patches.weight is on cpu" in found_in(Bad())


def test_a_blank_twin_of_another_shape_is_found(good):
    class Bad(good):
        def blank(self, module):
            twin = super().blank(module)
            twin.classifier = torch.nn.Linear(3, 2, device="meta")
            return twin

    assert "blank() has other tensors than the network: ['classifier.bias'" in found_in(Bad())


def test_a_description_of_something_else_is_found(good):
    class Bad(good):
        def load(self, request):
            loaded = super().load(request)
            odd = replace(loaded.architecture, num_classes=8)
            return replace(loaded, architecture=odd)

        def skeleton(self, request):
            found = super().skeleton(request)
            return replace(found, architecture=replace(found.architecture, num_classes=8))

    assert found_in(Bad()).startswith("describe() says Architecture(")


def test_an_error_behind_a_scale_that_starts_at_nothing_is_found(good):
    class Bad(good):
        """Rolls the channels of a branch that fresh weights silence."""

        def build(self, name, **options):
            network = super().build(name, **options)
            for block in network.blocks:
                torch.nn.init.zeros_(block.places_norm.weight)
            return network

        def cut(self, module, tracing, plan):
            surgery = super().cut(module, tracing, plan)
            if plan.widths != tracing.network.whole:
                places = module.blocks[0].places
                places.weight.data = places.weight.data.roll(1, dims=0)
            return surgery

    assert "the cut and the masked network differ by" in found_in(Bad())


def test_a_mask_that_masks_nothing_is_found(good):
    class Bad(good):
        def mask(self, module, tracing, plan):
            return self.copy(module)

    assert "the cut and the masked network differ by" in found_in(Bad())


def test_a_cut_that_cuts_nothing_is_found(good):
    class Bad(good):
        def cut(self, module, tracing, plan):
            return Surgery(attributes={})

        def mask(self, module, tracing, plan):
            return self.copy(module)

    assert found_in(Bad()) == "cutting half of it changes no output"


def test_a_cut_of_the_original_is_found(good):
    class Bad(good):
        def copy(self, module):
            return module

    assert "copy(), mask() and cut() of the copy changed" in found_in(Bad())


def test_files_that_differ_each_time_are_found(good):
    class Bad(good):
        def save(self, module, path):
            super().save(module, path)
            path.write_bytes(path.read_bytes() + path.name.encode())

    assert found_in(Bad()) == "save() writes different bytes for the same tensors"


def test_a_restored_network_that_differs_is_found(good):
    class Bad(good):
        def restore(self, module, surgery, weights):
            restored = super().restore(module, surgery, weights)
            with torch.no_grad():
                restored.classifier.bias += 1
            return restored

    expected = "the restored network is not the saved one: classifier.bias holds other numbers"
    assert found_in(Bad()) == expected


def test_an_adapter_that_sees_no_difference_is_found(good):
    class Bad(good):
        def unlike(self, one, other):
            return ""

    assert found_in(Bad()) == "unlike() sees no difference after a cut"


def test_a_damaged_file_that_is_taken_is_found(good):
    class Bad(good):
        def restore(self, module, surgery, weights):
            self.last = getattr(self, "last", None) or super().restore(module, surgery, weights)
            return self.last

    assert found_in(Bad()) == "restore() takes half a file without a CheckpointError"
