"""Measure how soon the drawing pad shows what the network reads in a stroke.

In JupyterLab and Chromium, a real mouse draws strokes, while the training stands still and while it
runs. The page measures the time from the end of a stroke until the sentence and the bars of the
whole drawing are shown. Every fourth stroke is drawn slowly, to count how often bars and sentence
change meanwhile.

    python benchmarks/drawing_pad.py [--strokes 50]

It uses MNIST if `MNIST_WIDGETS_DATA` names it, otherwise the bundled digits.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import statistics

from dashboard_live import ENDLESS, SETUP, judge
from real_lab import describe_load, open_lab

BOUND_MS = 100
LAB = "lab = dashboard(data=(train_set, test_set), show=['drawing'])\nlab"
# The kernel reads each stroke: the percentages of the sentence change with it.
WATCH = """() => {
    const pad = document.querySelector('.mw-drawing-pad');
    const caption = pad.querySelector('.mw-caption'), bars = pad.querySelector('.bqplot');
    const read = () => caption.textContent + [...bars.querySelectorAll('rect')].map(
        bar => bar.getAttribute('width') + bar.getAttribute('height')).join();
    window.strokeProbe = {changes: [], ended: null};
    let shown = read();
    new MutationObserver(() => {
        const now = read();
        if (now === shown) return;
        shown = now;
        strokeProbe.changes.push(performance.now());
    }).observe(pad, {subtree: true, childList: true, characterData: true, attributes: true});
    pad.querySelector('canvas').addEventListener('pointerup', () => {
        strokeProbe.ended = performance.now();
    }, {capture: true});
}"""
TAKE = """() => {
    const {changes, ended} = strokeProbe;
    strokeProbe.changes = [];
    return {during: changes.filter(at => at < ended).length,
            after: changes.filter(at => at >= ended).map(at => at - ended)};
}"""
