"""Single parts of panels on a page without a kernel: what they show before and after it answers."""

from __future__ import annotations

import pytest
from ipywidgets import HTML
from playwright.sync_api import expect

from mnist_widgets.widgets.parts.chart_footer import ChartFooter
from mnist_widgets.widgets.parts.controls import Disclosure, popover

# A model as anywidget gives it to a view; `sent` holds what went to the kernel.
MODEL = """values => {
    const handlers = [];
    const tell = (event, ...details) => {
        for (const [names, handler] of [...handlers])
            if (names.split(" ").includes(event)) handler(...details);
    };
    window.model = {
        sent: [],
        get: name => values[name],
        set(name, value) {
            if (values[name] === value) return;
            values[name] = value;
            tell(`change:${name}`);
        },
        save_changes() {},
        send(content) { this.sent.push(content); },
        on: (names, handler) => handlers.push([names, handler]),
        off(names, handler) {
            handlers.splice(handlers.findIndex(([, other]) => other === handler), 1);
        },
        answer: (content, text) => tell("msg:custom", content, [new TextEncoder().encode(text)]),
        countHandlers: () => handlers.length,
    };
}"""
RENDER = """async ([source, chart]) => {
    const widget = await import(`data:text/javascript,${encodeURIComponent(source)}`);
    const box = document.createElement("div");
    box.className = "mw-chart";
    box.innerHTML = `<div class="${chart}"></div><div class="mw-chart-footer"></div>`;
    document.body.append(box);
    window.removeLast = widget.default.render({model: window.model, el: box.lastElementChild});
}"""
CAPTION = {"caption": "Nothing yet.", "topic": "", "may_speak": True}
FOOTER = {"name": "Loss chart", "shows_data": False, "table": "", **CAPTION}


class Part:
    """A part on a page of its own, and its model."""

    def __init__(self, page) -> None:
        self.page = page
        self.source = ""

    def render(self, kind, values, chart="bqplot") -> None:
        """Show the first view of a part."""
        self.source = kind._esm
        self.page.evaluate(MODEL, values)
        self.render_again(chart)

    def render_again(self, chart="bqplot"):
        """Show another view, and return it."""
        self.page.evaluate(RENDER, [self.source, chart])
        return self.page.locator(".mw-chart").last

    def change(self, **values) -> None:
        """Set traits as the kernel does."""
        for name, value in values.items():
            self.page.evaluate("([name, value]) => model.set(name, value)", [name, value])

    def answer(self, content, text="") -> None:
        """Answer a request as the kernel does."""
        self.page.evaluate("([content, text]) => model.answer(content, text)", [content, text])

    @property
    def sent(self):
        """What the views have sent."""
        return self.page.evaluate("model.sent")


@pytest.fixture
def part(browser):
    context = browser.new_context()
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.clock.install()
    yield Part(page)
    context.close()
    assert errors == []


@pytest.fixture
def footer(part):
    part.render(ChartFooter, dict(FOOTER))
    return part


def save(view, choice):
    view.locator("summary").click()
    view.get_by_role("button", name=choice).click()


def test_a_caption_keeps_numbers_and_per_cent_signs_together(footer):
    footer.change(caption="71.4 % recognized, 3 % not.")
    words = footer.page.locator(".mw-caption").evaluate("caption => caption.textContent")
    assert words == "71.4\xa0% recognized, 3\xa0% not."


def test_the_chart_stays_until_the_table_is_there(footer):
    page = footer.page
    data, region = page.get_by_role("button", name="Data"), page.get_by_role("region")
    covered = page.locator(".mw-shows-data")
    data.click()
    assert page.evaluate("model.get('shows_data')")
    expect(data).to_have_attribute("aria-expanded", "false")
    expect(covered).to_have_count(0)
    expect(region).to_have_count(0)
    footer.change(table="<table><tr><td>7</td></tr></table>")
    expect(data).to_have_attribute("aria-expanded", "true")
    expect(covered).to_have_count(1)
    expect(region).to_contain_text("7")
    data.click()
    expect(covered).to_have_count(0)
    expect(region).to_have_count(0)


def test_escape_closes_the_table_from_inside_and_from_its_button(footer):
    page = footer.page
    data, region = page.get_by_role("button", name="Data"), page.get_by_role("region")
    for focus in (region, data):
        footer.change(shows_data=True, table="<table></table>")
        focus.focus()
        page.keyboard.press("Escape")
        assert not page.evaluate("model.get('shows_data')")
        expect(region).to_have_count(0)
        expect(data).to_be_focused()


def test_the_buttons_say_which_chart_they_belong_to(footer):
    page = footer.page
    expect(page.get_by_role("button", name="Data")).to_have_accessible_name(
        "Data of the loss chart"
    )
    expect(page.locator("summary")).to_have_accessible_name("Save the loss chart")


def test_each_request_gets_its_own_file_whatever_the_order_of_the_answers(footer):
    page, first = footer.page, footer.page.locator(".mw-chart").first
    second = footer.render_again()
    save(first, "Picture")
    save(first, "Numbers")
    save(second, "Numbers")
    requests = footer.sent
    assert [request["save"] for request in requests] == ["png", "csv", "csv"]
    downloads = []
    page.on("download", lambda file: downloads.append(file.suggested_filename))
    for number in (2, 1, 0):
        with page.expect_download() as download:
            footer.answer(requests[number], f"file {number}")
        assert download.value.suggested_filename == f"loss_chart.{requests[number]['save']}"
        assert download.value.path().read_text() == f"file {number}"
    assert len(downloads) == 3  # none twice


def test_a_failed_save_is_an_alert_of_its_view_until_the_next_save(footer):
    first, second = footer.page.locator(".mw-chart").first, footer.render_again()
    save(first, "Picture")
    footer.answer({"id": footer.sent[0]["id"], "error": "The planted error."})
    footer.change(caption="A new caption.")
    expect(first.get_by_role("alert")).to_have_text("The planted error.")
    expect(first.locator(".mw-caption")).to_have_text("A new caption.")
    expect(second.get_by_role("alert")).to_have_text("")
    save(first, "Picture")
    expect(first.get_by_role("alert")).to_have_text("")


def test_a_new_caption_that_stays_is_read_aloud_and_its_copy_goes(footer):
    spoken, clock = footer.page.locator(".mw-spoken"), footer.page.clock
    clock.run_for(60_000)
    expect(spoken).to_have_text("")  # the first can be found by reading the page
    footer.change(caption="One.", topic="1")
    clock.run_for(1_500)
    footer.change(caption="Two.", topic="2")
    clock.run_for(1_500)
    expect(spoken).to_have_text("")
    clock.run_for(1_000)
    expect(spoken).to_have_text("Two.")
    clock.run_for(10_000)
    expect(spoken).to_have_text("")


def test_a_caption_waits_for_the_end_of_the_training_and_is_read_once(footer):
    spoken, clock = footer.page.locator(".mw-spoken"), footer.page.clock
    footer.change(may_speak=False, caption="An epoch.", topic="an epoch")
    clock.run_for(60_000)
    expect(spoken).to_have_text("")
    footer.change(may_speak=True)
    clock.run_for(2_500)
    expect(spoken).to_have_text("An epoch.")
    footer.change(may_speak=False)
    footer.change(may_speak=True)
    clock.run_for(2_500)
    expect(spoken).to_have_text("")


def test_a_caption_is_read_aloud_for_a_new_topic_only(footer):
    spoken, clock = footer.page.locator(".mw-spoken"), footer.page.clock
    footer.change(caption="Image 3: 7.", topic="3")
    clock.run_for(2_500)
    expect(spoken).to_have_text("Image 3: 7.")
    for topic in ("3", ""):
        footer.change(caption="Image 3: 2.", topic=topic)
        clock.run_for(2_500)
        expect(spoken).to_have_text("")


def test_a_click_elsewhere_closes_the_menu(footer):
    page = footer.page
    choice = page.get_by_role("button", name="Picture")
    page.locator("summary").click()
    expect(choice).to_be_visible()
    page.locator(".mw-caption").click()
    expect(choice).to_be_hidden()


def test_a_grids_list_is_described_once_it_exists(part):
    part.render(ChartFooter, {**FOOTER, "name": "Images"}, chart="mw-grid")
    part.page.clock.run_for(100)
    part.page.locator(".mw-grid").evaluate(
        "grid => grid.innerHTML = '<div class=mw-grid-list role=listbox></div>'"
    )
    part.page.clock.run_for(100)
    expect(part.page.get_by_role("listbox")).to_have_accessible_description("Nothing yet.")


def test_a_removed_footer_listens_no_more(footer):
    before = footer.page.evaluate("model.countHandlers()")
    footer.render_again()
    footer.page.evaluate("removeLast()")
    assert footer.page.evaluate("model.countHandlers()") == before


def test_more_becomes_fewer_only_when_the_kernel_has_shown_the_part(part):
    part.render(Disclosure, {"more": "More", "fewer": "Fewer", "is_open": False})
    button = part.page.get_by_role("button")
    button.click()
    button.click()  # nothing seems to have happened
    expect(button).to_have_text("More")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert part.sent == [{"is_open": True}] * 2
    part.change(is_open=True)
    expect(button).to_have_text("Fewer")
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    assert part.sent[2:] == [{"is_open": False}]


def test_each_view_opens_its_own_explanation(part):
    owner = HTML()
    views = 2 * f"<div class='view'>{popover('?', 'About', 'Words', owner)}</div>"
    owner.close()
    part.page.evaluate("views => { document.body.innerHTML = views; }", views)
    first, second = part.page.locator(".view").all()
    for shown, other in ((second, first), (first, second)):
        opener = shown.get_by_role("button")
        opener.click()
        expect(shown.locator(".mw-popover")).to_be_visible()
        expect(other.locator(".mw-popover")).to_be_hidden()
        opener.press("Enter")
        expect(shown.locator(".mw-popover")).to_be_hidden()
