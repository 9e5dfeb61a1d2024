"""The messages that bqplot's front end sends to the kernel, for tests without a browser."""

from __future__ import annotations

from bqplot import GridHeatMap


def click_cell(heat_map: GridHeatMap, row: int, column: int) -> None:
    """Click a cell of a heat map: row and column as drawn, from the top left."""
    size = heat_map.color.shape[1]
    data = {
        "data": float(heat_map.color[row, column]),
        "index": row * size + column,
        "rowNum": row,
        "columnNum": column,
    }
    content = {"event": "element_click", "data": data}
    heat_map._handle_msg(
        {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
    )
