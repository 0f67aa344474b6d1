"""The pages as a reader has them: in a real browser, from the folder alone, wide and narrow."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
PHONE = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: make setup installs it")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium or chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def index(browser: Any, small_report: Path) -> Any:
    return open_page(browser, small_report / "index.html")


@pytest.fixture
def claims(browser: Any, small_report: Path) -> Any:
    return open_page(browser, small_report / "claims.html")


def open_page(browser: Any, path: Path) -> Any:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())
    return browser


def read_column(browser: Any, table: str, column: int) -> list[str]:
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(r => r.cells[arguments[1]].innerText)"
    )
    return browser.execute_script(script, table, column)


def press_heading(browser: Any, table: str, column: int, *, key: str = "") -> str:
    """Sort by a column, with the mouse or a key; what the heading then says of the order."""
    rows = browser.find_elements("css selector", f"{table} thead tr:last-child th")
    button = rows[column].find_element("css selector", "button")
    if key:
        browser.execute_script("arguments[0].focus()", button)
        button.send_keys(key)
    else:
        browser.execute_script("arguments[0].click()", button)
    return rows[column].get_attribute("aria-sort")


@pytest.mark.parametrize("page", ["index.html", "claims.html", "tables/runs.html", "tables/feedback19_table_1.html"])
def test_a_page_loads_without_error_and_asks_for_nothing_but_files(browser: Any, small_report: Path, page: str) -> None:
    open_page(browser, small_report / page)
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert [one for one in messages if one["method"] == "Network.loadingFailed"] == []


def test_every_picture_is_seen(index: Any) -> None:
    pictures = index.execute_script(
        "return [...document.images].map(i => [i.getAttribute('src'), i.complete, i.naturalWidth, i.width, i.alt])"
    )
    assert len(pictures) >= 4 + 12 + 1
    for source, complete, natural, shown, alt in pictures:
        assert complete, source
        assert natural > 0, source
        assert shown > 100, source
        assert alt, source


def test_a_table_sorts_by_number_both_ways(index: Any) -> None:
    table, column = "#runs", 2
    assert press_heading(index, table, column) == "ascending"
    values = [float(text) for text in read_column(index, table, column)]
    assert values == sorted(values)
    assert press_heading(index, table, column) == "descending"
    assert [float(text) for text in read_column(index, table, column)] == sorted(values, reverse=True)


def test_a_table_sorts_with_the_keyboard_and_by_word(index: Any) -> None:
    assert press_heading(index, "#feedback19_table_1", 0, key="\n") == "ascending"
    names = read_column(index, "#feedback19_table_1", 0)
    assert names == sorted(names, key=str.lower)
    assert names[0] == "3DCNN"


def test_cells_without_a_number_stay_below(index: Any) -> None:
    for _ in range(2):
        press_heading(index, "#feedback19_table_2", 3)
        values = read_column(index, "#feedback19_table_2", 3)
        without = values.count("\N{EN DASH}")
        assert 0 < without < len(values)
        assert values[-without:] == ["\N{EN DASH}"] * without


def test_one_column_at_a_time_says_how_it_is_sorted(index: Any) -> None:
    press_heading(index, "#runs", 1)
    press_heading(index, "#runs", 2)
    script = (
        "return [...document.querySelectorAll('#runs thead tr:last-child th')].map(h => h.getAttribute('aria-sort'))"
    )
    orders = index.execute_script(script)
    assert orders.count("none") == len(orders) - 1
    assert orders[2] == "ascending"


@pytest.mark.parametrize("page", ["index.html", "claims.html", "tables/runs.html"])
def test_a_phone_never_scrolls_sideways(browser: Any, small_report: Path, page: str) -> None:
    open_page(browser, small_report / page)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    width, inner = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert inner == PHONE["width"]
    assert width <= inner
    sizes = "[...document.querySelectorAll('p,td,th,li')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert browser.execute_script(f"return Math.min(...{sizes})") >= 12


def narrow(browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE | {"width": 390})
    browser.execute_script("window.dispatchEvent(new Event('resize'))")


def test_claims_are_sorted_on_a_phone_too(claims: Any) -> None:
    select = claims.find_element("css selector", "select[data-sorts]")
    assert not select.is_displayed()
    narrow(claims)
    assert select.is_displayed()
    before = read_column(claims, "table.claims", 1)

    def choose(value: str) -> list[str]:
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
        claims.execute_script(script, select, value)
        return read_column(claims, "table.claims", 1)

    assert len(select.find_elements("tag name", "option")) == 1 + 2 * 6
    up = choose("1 up")
    assert up != before
    assert choose("1 down") == up[::-1]
    assert choose("") == before


def test_a_box_that_scrolls_says_so(index: Any) -> None:
    script = """return [...document.querySelectorAll('.hint')].map(hint =>
        [!hint.hidden, hint.nextElementSibling.scrollWidth > hint.nextElementSibling.clientWidth + 1])"""
    wide = index.execute_script(script)
    narrow(index)
    phone = index.execute_script(script)
    assert all(told == scrolls for told, scrolls in wide + phone)
    assert sum(told for told, _ in phone) > sum(told for told, _ in wide)


def test_figures_shrink_to_a_phone(index: Any) -> None:
    narrow(index)
    boxes = index.execute_script(
        "return [...document.querySelectorAll('.item > .picture:not(.broad)')].map(b => [b.scrollWidth, b.clientWidth])"
    )
    assert len(boxes) >= 2
    assert all(inner <= outer for inner, outer in boxes)


def test_claims_are_filtered_by_status_and_paper(claims: Any) -> None:
    def count_shown() -> int:
        return claims.execute_script(
            "return [...document.querySelectorAll('tbody tr')].filter(r => r.offsetParent).length"
        )

    def choose(name: str, value: str) -> str:
        button = claims.find_element("css selector", f'button[data-filter="{name}"][data-value="{value}"]')
        button.click()
        return button.get_attribute("aria-pressed")

    everything = count_shown()
    assert everything >= 37
    assert choose("paper", "refine") == "true"
    assert count_shown() == 7
    assert claims.find_element("id", "shown").text == f"7 of {everything} claims shown"
    choose("status", "holds")
    assert count_shown() == 0
    choose("status", "not-run")
    assert count_shown() == 7
    choose("status", "")
    choose("paper", "")
    assert count_shown() == everything


def test_a_status_is_told_by_word_and_shape(claims: Any) -> None:
    cells = read_column(claims, "table.claims", 0)
    assert {cell.split(maxsplit=1)[1] for cell in cells} <= {"holds", "does not hold", "not run at this scale"}
    marks = {cell.split(maxsplit=1)[1]: cell.split(maxsplit=1)[0] for cell in cells}
    assert len(set(marks.values())) == len(marks)


def test_links_lead_to_files_and_places(browser: Any, small_report: Path) -> None:
    for page in ("index.html", "claims.html"):
        open_page(browser, small_report / page)
        links = browser.execute_script("return [...document.links].map(a => a.getAttribute('href'))")
        assert links
        for link in links:
            path, _, place = link.partition("#")
            target = small_report / (path or page)
            assert target.is_file(), link
            if place:
                assert f'id="{place}"' in target.read_text(), link
