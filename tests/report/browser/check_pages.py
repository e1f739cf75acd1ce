"""Reports in a real browser: check_pages.py CHROMIUM FOLDER [SCREENSHOTS]

FOLDER holds run.html (a run of domainfusion, named itself), sweep.html (40 runs), killed.html, plain.html (a run without
rounds, of hostile names), empty.html and live.html. Prints what is wrong; the exit code says whether anything is.
"""
import json
import os
import sys

from browser import Browser, BrowserError

faults = []
browser = None
folder = ""


def check(holds, what):
    if not holds:
        faults.append(what)


def value(expression):
    return browser.evaluate(expression)


def opened(name):
    browser.errors.clear()
    browser.requests.clear()
    seconds = browser.open(os.path.join(folder, name))
    print(f"{name}: {os.path.getsize(os.path.join(folder, name)) / 1e6:.2f} MB, opened in {seconds:.2f} s")
    return seconds


def nothing_went_wrong(name):
    check(not browser.errors, f"{name}: the console says {browser.errors}")
    outside = [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))]
    check(not outside, f"{name}: asks for {outside}")
    check(value("[...document.querySelectorAll('svg *')].every((node) => [...node.attributes].every(({ value }) => !/NaN|Infinity|undefined/.test(value)))"),
          f"{name}: a plot has places that are no numbers")
    check(value("[...document.querySelectorAll('img')].every((img) => img.alt)"), f"{name}: a picture has no text")
    check(value("[...document.querySelectorAll('figure')].every((one) => one.getAttribute('aria-label').length > 10)"), f"{name}: a plot has no text")
    check(value("[...document.querySelectorAll('[src], [href]')].every((one) => /^(#|data:)/.test(one.getAttribute('src') || one.getAttribute('href')))"),
          f"{name}: a src or href leaves the file")


def fits_a_phone(name):
    browser.size(390, 844, phone=True, dark=True)
    opened(name)
    check(value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: wider than a phone")
    check(value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)", f"{name}: is not dark in the dark")
    browser.size(1280, 900)


def sections():
    return value("[...document.querySelectorAll('main > section')].map((one) => one.id)")


def text(selector):
    return value(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")


def span(figure):
    return value(f"(({{ min, max }}) => max - min)(document.querySelector('{figure}').plot.scales.x)")


def zooms(name):
    figure = "#curve-loss"
    whole = span(figure)
    value(f"document.querySelector('{figure} .plot').focus()")
    browser.press("ArrowRight")
    check(value(f"document.querySelector('{figure}').plot.cursor.idx") == 0, f"{name}: an arrow key does not read a value")
    check(value(f"[...document.querySelectorAll('{figure} .u-value')].some((one) => /[0-9]/.test(one.textContent))"), f"{name}: no value under the pointer")
    browser.press("+")
    check(abs(span(figure) - whole / 2) < 1e-6 * whole, f"{name}: + does not zoom")
    browser.press("0")
    check(abs(span(figure) - whole) < 1e-6 * whole, f"{name}: 0 does not show all")
    value(f"document.querySelector('{figure}').scrollIntoView({{ block: 'center' }})")
    left, top, width, height = value(f"(({{ left, top, width, height }}) => [left, top, width, height])(document.querySelector('{figure} .u-over').getBoundingClientRect())")
    browser.drag(left + 0.3 * width, top + height / 2, left + 0.6 * width, top + height / 2)
    check(0.2 * whole < span(figure) < 0.4 * whole, f"{name}: dragging does not zoom")
    value(f"[...document.querySelectorAll('{figure} button')].find((one) => one.textContent === 'all').click()")
    check(abs(span(figure) - whole) < 1e-6 * whole, f"{name}: the button does not show all")
    value("[...document.querySelectorAll('#curves .controls label')].find((one) => one.textContent === 'log').querySelector('input').click()")
    check(value(f"document.querySelector('{figure}').plot.scales.y.distr") == 3, f"{name}: no log scale")
    value("[...document.querySelectorAll('#curves .controls label')].find((one) => one.textContent === 'log').querySelector('input').click()")


def opens_cells(name):
    value("document.querySelector('#matrix button').focus()")
    browser.press("ArrowRight")
    check(value("document.activeElement.dataset.place") == "0 1", f"{name}: arrow keys do not move through the matrix")
    browser.press("ArrowLeft")
    browser.press("Enter")
    count = int(value("document.querySelector('#matrix [data-place=\"0 0\"]').textContent") or 0)
    shown = value("document.querySelectorAll('#cell .item').length")
    check(shown == min(count, 24), f"{name}: a cell of {count} images opens {shown}")
    check(value("[...document.querySelectorAll('#cell .item code')].every((one) => one.textContent.length > 3)"), f"{name}: pictures have no file names")
    check(value("document.activeElement.id") == "cell", f"{name}: the opened cell has no focus")
    browser.press("Escape")
    check(not value("!!document.querySelector('#cell')"), f"{name}: Escape does not close a cell")
    check(value("document.activeElement.dataset.place") == "0 0", f"{name}: focus is lost when a cell is closed")


def saves_csv(name, images):
    value("window.saved = []; URL.createObjectURL = (blob) => { saved.push(blob); return 'blob:null/0'; }; HTMLAnchorElement.prototype.click = () => {}; true")
    value("[...document.querySelectorAll('#accuracy button')].find((one) => one.textContent === 'CSV of all images').click()")
    lines = value("saved[0].text()").strip().split("\n")
    check(lines[0].startswith("file,domain,label,answer,probability"), f"{name}: the CSV begins with {lines[0]}")
    check(len(lines) == images + 1, f"{name}: the CSV has {len(lines)} lines for {images} images")


def shows_pictures(name):
    value("document.querySelectorAll('img').forEach((img) => { img.loading = 'eager'; })")
    browser.until("[...document.querySelectorAll('img')].every((img) => img.complete)")
    check(value("document.querySelectorAll('img').length > 4 && [...document.querySelectorAll('img')].every((img) => img.naturalWidth > 0)"), f"{name}: pictures are not shown")


def check_run():
    name = "run.html"
    opened(name)
    check(sections() == ["run", "curves", "accuracy", "rounds", "ldm", "attention"], f"{name}: has the parts {sections()}")
    check("Guarded" in text("#leakage"), f"{name}: no leakage stamp")
    check("reproduce" in text("#run code"), f"{name}: no command that runs it again")
    zooms(name)
    opens_cells(name)
    saves_csv(name, value("data.runs[0].looks.images.file.length"))
    check(value("document.querySelectorAll('#gallery .row').length") > 0, f"{name}: rounds have no gallery")
    rounds = value("data.runs[0].gallery.length")
    value(f"(() => {{ const slider = document.querySelector('#rounds input[type=range]'); slider.value = {rounds - 1}; slider.dispatchEvent(new Event('input')); }})()")
    check(value("document.querySelector('#rounds output').textContent") == value(f"data.runs[0].gallery[{rounds - 1}].round"), f"{name}: the slider of rounds does nothing")
    check("CDGA" in text("#rounds"), f"{name}: no budget beside CDGA's")
    check("Premise" in text("#ldm"), f"{name}: no premise")
    check(value("document.querySelectorAll('#grad-cam .row').length") > 0, f"{name}: no Grad-CAM")
    points = value("document.querySelectorAll('#feature-map circle').length")
    check(points == value("data.runs[0].looks.feature_map.images.length"), f"{name}: the map has {points} points")
    place = "document.querySelector('#feature-map circle').getAttribute('cx')"
    before = value(place)
    value("(() => { const by = document.querySelector('#attention select[aria-label=by]'); by.value = 'pca'; by.dispatchEvent(new Event('change')); })()")
    check(value(place) != before, f"{name}: PCA is t-SNE")
    value("document.querySelector('#feature-map circle').dispatchEvent(new MouseEvent('click'))")
    check("%" in text("#map-image .item"), f"{name}: a point opens no picture")
    shows_pictures(name)
    check(browser.pdf_pages() > 0, f"{name}: does not print")
    nothing_went_wrong(name)
    fits_a_phone(name)


def check_plain():
    name = "plain.html"
    opened(name)
    hostile = value("data.runs[0].classes[0]")
    check("<img" in hostile, f"{name}: the class is called {hostile}")
    check(value("[...document.querySelectorAll('#class-table th')].map((one) => one.textContent)").count(hostile) == 1, f"{name}: the class's name is not shown as it is")
    check(value("document.querySelectorAll('[onerror], b, script[src]').length") == 0, f"{name}: a name became markup")
    check("made no images in rounds" in text("#rounds"), f"{name}: a run without rounds does not say so")
    check("used no LDM" in text("#ldm"), f"{name}: a run without an LDM does not say so")
    opens_cells(name)
    nothing_went_wrong(name)


def check_sweep():
    name = "sweep.html"
    opened(name)
    rows = "document.querySelectorAll('#runs-table tbody tr').length"
    check(value(rows) == 40, f"{name}: lists {value(rows)} runs")
    check(value("[ticksOf(0, 0), ticksOf(3, 3)].every((ticks) => ticks.length > 1)"), "figures that are all equal have no scale")
    check(value("document.querySelectorAll('#missing li').length") > 0, f"{name}: does not say what is missing")
    check(value("document.querySelectorAll('#sweep figure').length") == 2, f"{name}: lacks differences or accuracy against images")
    check("±" in text("#sweep table"), f"{name}: no standard errors")
    value("(() => { const filter = document.querySelector('#runs input'); filter.value = 'photo mixstyle'; filter.dispatchEvent(new Event('input')); })()")
    check(0 < value(rows) < 40, f"{name}: the filter leaves {value(rows)} runs")
    chosen = value("(() => { const button = document.querySelector('#runs-table tbody button'); button.click(); return button.textContent; })()")
    check(value("chosenRun().name") == chosen and "mixstyle" in text("#run"), f"{name}: a click does not choose the run")
    check(value(rows) < 40, f"{name}: choosing a run forgets the filter")
    bands = value("document.querySelector('#curve-loss').plot.bands.length")
    check(bands > 0, f"{name}: systems have no bands")
    value("(() => { const by = document.querySelector('#curves select[aria-label=lines]'); by.value = 'run'; by.dispatchEvent(new Event('change')); })()")
    check(value("document.querySelector('#curve-loss').plot.series.length") == 13, f"{name}: does not draw twelve runs")
    value("(() => { const by = document.querySelector('#sweep select'); by.value = by.options[1].value; by.dispatchEvent(new Event('change')); })()")
    check("held-out domain; it is no fair choice" in text("#sweep .warn"), f"{name}: the oracle does not say what it is")
    nothing_went_wrong(name)
    fits_a_phone(name)


def check_unfinished():
    opened("killed.html")
    check("No result yet" in text("#run"), "killed.html: does not say that there is no result")
    check("stopped after" in text("#run"), "killed.html: does not say where the run stopped")
    nothing_went_wrong("killed.html")
    opened("empty.html")
    check("No run is in" in text("header"), "empty.html: does not say that no run is there")
    check(sections() == [], f"empty.html: has the parts {sections()}")
    nothing_went_wrong("empty.html")


# A page that is written anew while somebody reads it.
def check_live():
    path = os.path.join(folder, "live.html")
    page = open(path, encoding="utf-8").read()
    check('"live":{"seconds":' in page, "live.html: is not live")
    before = page.replace('"live":{"seconds":20}', '"live":{"seconds":1}')
    after = before.replace('"program":"', '"program":"news, ')
    reader = os.path.join(folder, "reader.html")

    def write(text):
        with open(reader + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(reader + ".new", reader)

    write(before)
    opened("reader.html")
    check("Being trained" in text("#live"), "live.html: does not say that it is live")
    value("document.querySelector('#curve-loss .plot').focus()")
    browser.press("+")
    left = value("view.zoom.loss")
    value("document.activeElement.blur(); scrollTo(0, 700)")
    write(after)
    browser.until("document.readyState === 'complete' && document.querySelector('header').textContent.includes('news, ')")
    browser.until("scrollY > 0")
    check(abs(value("scrollY") - 700) < 3, f"live.html: a reload scrolls to {value('scrollY')}")
    check(left and value("view.zoom.loss") == left, f"live.html: a reload forgets the zoom: {left}, {value('view.zoom.loss')}")
    nothing_went_wrong("live.html")
    browser.open(os.path.join(folder, "empty.html"))
    os.remove(reader)


def screenshots(to):
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".html"):
            continue
        for width, phone, dark in ((1280, False, False), (390, True, True)):
            browser.size(width, 900, phone=phone, dark=dark)
            opened(name)
            browser.screenshot(os.path.join(to, f"{name[:-5]}-{width}.png"), whole=True)


def main():
    global browser, folder
    folder = sys.argv[2]
    browser = Browser(sys.argv[1])
    try:
        browser.size(1280, 900)
        for part in (check_run, check_plain, check_sweep, check_unfinished, check_live):
            try:
                part()
            except BrowserError as error:
                faults.append(f"{part.__name__}: {error}")
        if len(sys.argv) > 3:
            screenshots(sys.argv[3])
    finally:
        browser.close()
    print("\n".join(faults) or "all is well")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
