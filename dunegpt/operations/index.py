"""Building the index, with the model server that describes figures if there is one."""

from dunegpt.config import Settings
from dunegpt.index.build import IndexReport, Progress, build


def build_index(
    settings: Settings,
    *,
    rebuild: bool = False,
    accept_loss: bool = False,
    progress: Progress = lambda *_: None,
) -> IndexReport:
    """Build and publish a snapshot; arguments and errors are those of `build`."""
    describer = None
    if settings.extract.describe_figures:
        # Only who wants it needs a client of model servers.
        from dunegpt.serve.llm.describe import ModelDescriber  # noqa: PLC0415

        describer = ModelDescriber(settings)
    return build(
        settings,
        rebuild=rebuild,
        accept_loss=accept_loss,
        progress=progress,
        describer=describer,
    )
