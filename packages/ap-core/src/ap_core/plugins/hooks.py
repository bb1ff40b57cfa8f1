"""The hooks. A plugin is a module under the entry-point group `ap` that implements some of them.

A plugin's pyproject.toml names the module:

    [project.entry-points.ap]
    my-plugin = "my_plugin.plugin"

The module imports nothing heavy: an offer carries an import string, or a function that imports
late. Every hook takes no arguments and returns an iterable of offers.
"""

from collections.abc import Iterable

import pluggy

from ap_core.plugins.offers import (
    CommandOffer,
    DatasetOffer,
    ExporterOffer,
    ImportanceOffer,
    LlmBackendOffer,
    MeterOffer,
    ModelAdapterOffer,
    RecoveryOffer,
    StrategistOffer,
    TimerOffer,
)

PROJECT = "ap"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ap_model_adapters() -> Iterable[ModelAdapterOffer]:  # type: ignore[empty-body]
    """Offer model adapters: each knows a family of networks, makes them and cuts them.

    The thing that is offered is a `ap_core.contracts.ModelAdapter`; most subclass
    `ap_models.DependencyGraphAdapter` and say only what is particular to the family. `name` is
    the offer's: a run directory keeps it, to build the network again.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import ModelAdapterOffer

        @hookimpl
        def ap_model_adapters():
            return [
                ModelAdapterOffer(
                    name="toymixer",
                    summary="MLP-Mixers for small images",
                    load="my_plugin.adapter:ToyMixerAdapter",
                    priority=10,
                )
            ]

    and in my_plugin/adapter.py:

        from ap_models import DependencyGraphAdapter

        from my_plugin.network import ToyMixer

        class ToyMixerAdapter(DependencyGraphAdapter):
            name = "toymixer"

            def names(self):
                return ("toymixer/tiny",)

            def resolve(self, name):
                return name if name in self.names() else None

            def recognises(self, module):
                return isinstance(module, ToyMixer)

            def build(self, name, *, num_classes=None, input_size=None, pretrained=False):
                return ToyMixer(num_classes=num_classes or 10)
    """


@hookspec
def ap_importances() -> Iterable[ImportanceOffer]:  # type: ignore[empty-body]
    """Offer importances: criteria that score channels.

    The thing that is offered is a `ap_core.contracts.Importance`. Say `needs_data=True` where it
    looks at gradients, and `additive=True` where its scores are changes of the loss: those are on
    one scale over the whole network, and are summed as they are.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import ImportanceOffer

        @hookimpl
        def ap_importances():
            return [
                ImportanceOffer(
                    name="largest",
                    summary="largest absolute weight of a channel",
                    load="my_plugin.criteria:largest",
                )
            ]

    and in my_plugin/criteria.py:

        def largest(part, generator):
            return part.weight.abs().amax(dim=1)
    """


@hookspec
def ap_llm_backends() -> Iterable[LlmBackendOffer]:  # type: ignore[empty-body]
    """Offer LLM backends: each carries a prompt to a service and the answer back.

    The thing that is offered is a function that takes `ap_core.contracts.LlmSettings`
    ("local:8000" gives the model "8000") and returns a `ap_core.contracts.LlmBackend`. Say which
    environment variable holds the key, where the service wants one: `key="MY_API_KEY"`.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import LlmBackendOffer

        @hookimpl
        def ap_llm_backends():
            return [
                LlmBackendOffer(
                    name="local",
                    summary="a server on this machine: local:PORT",
                    load="my_plugin.llm:connect",
                )
            ]

    and in my_plugin/llm.py:

        import json
        from urllib.request import urlopen

        from ap_core.contracts import LlmReply
        from ap_core.errors import LlmError

        class LocalBackend:
            def __init__(self, settings):
                port = int(settings.model)
                self.address = f"http://127.0.0.1:{port}/complete"
                self.timeout = settings.timeout

            def complete(self, *, system, prompt, schema):
                body = json.dumps({"system": system, "prompt": prompt, "schema": schema})
                try:
                    with urlopen(self.address, data=body.encode(), timeout=self.timeout) as reply:
                        return LlmReply(text=reply.read().decode(), model="local")
                except OSError as error:
                    raise LlmError(f"no answer from {self.address}: {error}") from error

        def connect(settings):
            return LocalBackend(settings)
    """


@hookspec
def ap_strategists() -> Iterable[StrategistOffer]:  # type: ignore[empty-body]
    """Offer strategists: each proposes strategies, learning from the trials so far.

    The thing that is offered is a `ap_core.contracts.Strategist`.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import StrategistOffer

        @hookimpl
        def ap_strategists():
            return [
                StrategistOffer(
                    name="smoothing",
                    summary="tries a few values of the smoothing",
                    load="my_plugin.strategist:SmoothingStrategist",
                    trials=3,
                )
            ]

    and in my_plugin/strategist.py:

        class SmoothingStrategist:
            values = (0.25, 0.5, 1.0)

            def propose(self, evidence):
                done = len(evidence.trials)
                if done >= len(self.values):
                    return None
                return evidence.base.model_copy(update={"smoothing": self.values[done]})
    """


@hookspec
def ap_recoveries() -> Iterable[RecoveryOffer]:  # type: ignore[empty-body]
    """Offer recoveries: each gives back some of the accuracy that a cut took.

    The thing that is offered is a `ap_core.contracts.Recovery`.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import RecoveryOffer

        @hookimpl
        def ap_recoveries():
            return [
                RecoveryOffer(
                    name="centre-logits",
                    summary="shifts the classifier's bias so that the mean logits are zero",
                    load="my_plugin.recovery:centre_logits",
                )
            ]

    and in my_plugin/recovery.py:

        def centre_logits(module, data):
            import torch

            classifier = getattr(module, "fc", None)
            if classifier is None:
                return ""
            with torch.no_grad():
                logits = torch.cat([module(images) for images, _ in data.calibration()])
                classifier.bias -= logits.mean(dim=0)
            return f"shifted {logits.shape[1]} biases"
    """


@hookspec
def ap_datasets() -> Iterable[DatasetOffer]:  # type: ignore[empty-body]
    """Offer data sets: images for calibrating and for judging.

    The thing that is offered is a function that takes a `ap_core.contracts.DataRequest` and
    returns a `ap_core.contracts.DataSource`. Where it is a `ap_core.contracts.TrainingSource`, with
    one method more, `split`, that gives the images of a split by their place, it can be trained on.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import DatasetOffer

        @hookimpl
        def ap_datasets():
            return [
                DatasetOffer(
                    name="noise",
                    summary="random images, random labels",
                    load="my_plugin.data:open_noise",
                )
            ]

    and in my_plugin/data.py:

        class Noise:
            def __init__(self, request):
                self.request = request
                self.num_classes = request.architecture.num_classes

            def calibration(self):
                yield from self._batches(3 * self.request.seed)

            def held_out(self):
                yield from self._batches(3 * self.request.seed + 1)

            def report(self):
                yield from self._batches(3 * self.request.seed + 2)

            def record(self):
                return {"name": "noise", "seed": self.request.seed}

            def _batches(self, seed):
                import torch

                generator = torch.Generator().manual_seed(seed)
                size = self.request.batch_size
                images = (size, *self.request.architecture.input_size)
                yield (
                    torch.rand(images, generator=generator),
                    torch.randint(self.num_classes, (size,), generator=generator),
                )

        def open_noise(request):
            return Noise(request)
    """


@hookspec
def ap_meters() -> Iterable[MeterOffer]:  # type: ignore[empty-body]
    """Offer meters: each measures a network.

    The thing that is offered is a `ap_core.contracts.Meter`.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import MeterOffer

        @hookimpl
        def ap_meters():
            return [
                MeterOffer(
                    name="zeros",
                    summary="how many weights are exactly zero",
                    load="my_plugin.meters:zeros",
                )
            ]

    and in my_plugin/meters.py:

        def zeros(module, *, input_size, data):
            weights = list(module.parameters())
            return {
                "zeros": sum(int((weight == 0).sum()) for weight in weights),
                "weights": sum(weight.numel() for weight in weights),
            }
    """


@hookspec
def ap_timers() -> Iterable[TimerOffer]:  # type: ignore[empty-body]
    """Offer timers: each tells how long a network takes on a stack that networks are to run on.

    The thing that is offered is a function of a `ap_core.contracts.Stack`, the whole network and
    the size of an image, which returns a `ap_core.contracts.Timer`. `--target-latency` cuts to what
    it measures: of a phone, a compiler of your own, or of whatever else runs networks.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import TimerOffer

        @hookimpl
        def ap_timers():
            return [
                TimerOffer(
                    name="exported",
                    summary="torch.export's programs on this machine's CPU",
                    load="my_plugin.timing:open_timer",
                )
            ]

    and in my_plugin/timing.py:

        import time

        from ap_core.contracts import Pair

        class ExportedTimer:
            def __init__(self, stack, whole, input_size):
                self.shape = (stack.batch_size, *input_size)
                self.whole = self.exported(whole)

            def about(self):
                import torch

                return {"torch": torch.__version__, "threads": str(torch.get_num_threads())}

            def beside(self, module, *, rounds):
                other = self.exported(module)
                pairs = [(self.seconds(self.whole), self.seconds(other)) for _ in range(rounds)]
                return [Pair(whole=whole, other=other) for whole, other in pairs]

            def exported(self, module):
                import torch

                program = torch.export.export(module, (torch.zeros(self.shape),)).module()
                self.seconds(program)
                return program

            def seconds(self, program):
                import torch

                with torch.no_grad():
                    start = time.perf_counter()
                    program(torch.zeros(self.shape))
                    return time.perf_counter() - start

        def open_timer(stack, whole, input_size):
            return ExportedTimer(stack, whole, input_size)
    """


@hookspec
def ap_exporters() -> Iterable[ExporterOffer]:  # type: ignore[empty-body]
    """Offer exporters: each writes a network to a file that runs elsewhere.

    The thing that is offered is a `ap_core.contracts.Exporter`. With it goes a reader: a program of
    one file that answers with what the exporter wrote, without anything of ours, so that every file
    is read again and compared before the user gets it. It is called with the paths of the file, of
    batches of images, and of where to put the outputs, both as numpy's .npz with the same names.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import ExporterOffer

        @hookimpl
        def ap_exporters():
            return [
                ExporterOffer(
                    name="exported-program",
                    summary="torch.export's own format",
                    load="my_plugin.export:write_program",
                    suffix=".pt2",
                    reader="my_plugin.reader",
                )
            ]

    and in my_plugin/export.py:

        def write_program(module, request, path):
            import torch

            images = torch.zeros(request.batch_size or 2, *request.input_size)
            sizes = None if request.batch_size else ({0: torch.export.Dim("batch")},)
            program = torch.export.export(module, (images,), dynamic_shapes=sizes)
            with path.open("wb") as file:
                torch.export.save(program, file)

    and in my_plugin/reader.py:

        import sys

        import numpy as np
        import torch

        file, asked, answered = sys.argv[1:]
        with open(file, "rb") as program:
            network = torch.export.load(program).module()
        with np.load(asked) as batches, torch.no_grad():
            outputs = {name: network(torch.from_numpy(batches[name])) for name in batches}
        np.savez(answered, **outputs)
    """


@hookspec
def ap_commands() -> Iterable[CommandOffer]:  # type: ignore[empty-body]
    """Offer commands of `ap`; listing them imports none of them.

    The thing that is offered is a `click.Command`. It gets the registry and the console through
    `ap_core.cli.app.pass_app`, and -q, -v and --no-color without asking.

    Example, in my_plugin/plugin.py:

        from ap_core.plugins.hooks import hookimpl
        from ap_core.plugins.offers import CommandOffer

        @hookimpl
        def ap_commands():
            return [
                CommandOffer(
                    name="hello",
                    summary="Say hello.",
                    load="my_plugin.command:hello",
                )
            ]

    and in my_plugin/command.py:

        import click

        from ap_core.cli.app import pass_app

        @click.command()
        @click.argument("name")
        @pass_app
        def hello(app, name):
            '''Say hello to somebody.'''
            app.console.result(f"hello {name}")
    """
