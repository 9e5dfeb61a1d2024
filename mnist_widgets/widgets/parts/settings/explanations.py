"""What the settings panel explains on demand: each setting, and when a change takes effect."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.settings import Setting

_NEW_RUN = "A new run uses the settings shown: press Start; after a run, Reset and Start."


def explain_settings(
    config: RunConfig,
    shown: Sequence[Setting],
    fixed: Collection[str],
    waiting: str,
    *,
    is_repeat: bool = False,
) -> str:
    """Return the effect of a change and the meaning of each setting, as HTML.

    Args:
        config: the settings.
        shown: rows of the table, those to explain.
        fixed: names of the settings that cannot be changed.
        waiting: the settings that wait for Reset, in words.
        is_repeat: whether the current run is a repeat, which takes no change at all.
    """
    entries = [
        f"<dt>{html.escape(setting.label)}</dt>"
        f"<dd>{to_html(setting.explain(getattr(config, setting.name)))}"
        f"{' No effect on this network.' * (setting.name in config.unused)}"
        f"{' Locked.' * (setting.name in fixed)}</dd>"
        for setting in shown
    ]
    free = [setting for setting in shown if setting.name not in fixed]
    effect = _describe_effect(free, is_repeat)
    if waiting:
        effect += f" Waiting for it: {to_html(waiting)}."
    return f"<p>{effect}</p><dl>{''.join(entries)}</dl>"


def _describe_effect(free: Sequence[Setting], is_repeat: bool) -> str:
    if not free:
        return "These settings are fixed in this lesson."
    live = [setting.label.lower() for setting in free if setting.is_live]
    if not live or is_repeat:
        return f"{_NEW_RUN} Changes during a run, or after it, wait for the next Reset."
    return (
        f"{_NEW_RUN} During a run, and after it, a new {' and a new '.join(live)} applies from "
        "the next batch on; all other changes wait for the next Reset."
    )
