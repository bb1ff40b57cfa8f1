"""Opening images on several processes: the main one looks, the others take its word."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ap_core.contracts import DataRequest, DataSource
from ap_core.errors import ClassesError, hinted
from ap_core.pipeline.opening.data import open_source
from ap_core.plugins.registry import Registry
from ap_train.training.world import world_of

if TYPE_CHECKING:
    from accelerate import Accelerator

OF_A_RUN = "take images of the classes that the run was pruned for: it has no others"


def open_together(
    accelerator: "Accelerator", registry: Registry, request: DataRequest
) -> DataSource:
    """Images, on every process; only the main one looks for those that cannot be read.

    What has to be downloaded is so once: by the main process, and by the first of every machine
    that does not see what it has downloaded. Raises: as `open_source`.
    """
    opened: list[DataSource] = []

    def record() -> Mapping[str, object]:
        opened.append(open_source(registry, request))
        found: Mapping[str, object] = json.loads(json.dumps(opened[0].record()))
        return found

    before = world_of(accelerator).on_main(record)
    if not accelerator.is_main_process:
        request = replace(request, before=before)
    with accelerator.local_main_process_first():
        return opened[0] if opened else open_source(registry, request)


def open_for_run(
    accelerator: "Accelerator", registry: Registry, request: DataRequest
) -> DataSource:
    """Images for the network of a run, which has the classes that it has.

    Raises: as `open_source`.
    """
    with hinted(ClassesError, lambda _hint: OF_A_RUN):
        return open_together(accelerator, registry, request)
