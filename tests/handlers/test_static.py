"""Static files: one build of them, how long they are kept, and that nothing else is given away."""

import gzip
import shutil

import pytest

from handlers.static import FOR_GOOD, ROOT, StaticFiles

ANOTHER = "0123456789abcdef"


@pytest.fixture(scope="module")
def files():
    return StaticFiles(ROOT)


@pytest.fixture
def folder(tmp_path):
    """A copy of static/ to change."""
    return shutil.copytree(ROOT, tmp_path / "static")


def test_its_own_builds_address_is_kept_for_good(served, files):
    answer = served.client().get(files.url("icon.svg"))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.body == (ROOT / "icon.svg").read_bytes()
    assert answer.headers["Cache-Control"] == FOR_GOOD == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["js/app.js", "js/nothing.js", "css/tokens.css", "js/", ""])
def test_another_builds_modules_and_stylesheets_are_not_here(served, path):
    answer = served.client().get(f"/static/{ANOTHER}/{path}")
    assert answer.refusal == (404, "not_found")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["icon.svg", "icon-unread.svg", "recover.js"])
def test_what_stands_alone_is_answered_to_pages_of_every_build_but_not_to_be_kept(served, name):
    answer = served.client().get(f"/static/{ANOTHER}/{name}")
    assert (answer.status, answer.body) == (200, (ROOT / name).read_bytes())
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("query", ["", "?v=", "?v=another-release", "?v=%ff"])
@pytest.mark.parametrize("path", ["icon.svg", "js/app.js"])
def test_an_address_without_a_build_is_asked_for_again(served, path, query):
    answer = served.client().get(f"/static/{path}{query}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    again = served.client().get(f"/static/{path}{query}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body, again.headers["Cache-Control"]) == (304, b"", "no-cache")
    assert served.client().get(f"/static/{path}", headers={"If-None-Match": '"of-another-release"'}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/static/..%2fsettings.py",
        "/static/js",
        "/static/js/",
        "/static/nothing.js",
        "/static/{build}/../settings.py",
        "/static/{build}/%2e%2e/settings.py",
        "/static/{build}/nothing.js",
        "/static/{build}/",
        "/static/{build}",
        "/static/%00",
        "/static/" + "x" * 3000,
    ],
)
def test_nothing_else_is_given_away(served, files, path):
    assert served.client().get(path.replace("{build}", files.build)).refusal == (404, "not_found")


def test_modules_are_scripts(served, files):
    answer = served.client().get(files.url("js/app.js"))
    assert answer.headers.get_content_type() == "text/javascript"


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "GZIP"])
def test_text_is_compressed_for_who_can_read_it(served, files, accepted):
    address, whole = files.url("js/app.js"), (ROOT / "js/app.js").read_bytes()
    answer = served.client().get(address, headers={"Accept-Encoding": accepted})
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.body) == whole and len(answer.body) < len(whole)


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.0, br"])
def test_text_is_plain_for_who_cannot(served, files, accepted):
    answer = served.client().get(files.url("js/app.js"), headers={"Accept-Encoding": accepted})
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (None, "Accept-Encoding")
    assert answer.body == (ROOT / "js/app.js").read_bytes()


def test_the_usual_place_of_the_icon_has_it(served):
    answer = served.client().get("/favicon.ico")
    assert (answer.body, answer.headers["Cache-Control"]) == ((ROOT / "icon.svg").read_bytes(), "no-cache")


def test_a_build_is_its_files_names_and_contents_and_nothing_else(files, folder):
    shutil.copystat(ROOT.parent, folder / "icon.svg")
    (folder / "js/.module.js.swp").write_text("an editor's")
    assert StaticFiles(folder).build == files.build
    (folder / "icon.svg").write_bytes((folder / "icon.svg").read_bytes() + b" ")
    changed = StaticFiles(folder).build
    assert changed != files.build
    (folder / "icon.svg").rename(folder / "image.svg")
    assert StaticFiles(folder).build not in (changed, files.build)


def test_files_that_are_replaced_under_a_running_process_are_not_given_as_its_build(folder):
    files = StaticFiles(folder)
    before = (folder / "js/app.js").read_bytes()
    (folder / "js/app.js").write_text("// the release after")
    file, for_good = files.find(f"{files.build}/js/app.js")
    assert (file.content, for_good) == (before, True)


def test_the_modules_of_a_page_are_all_that_its_entry_imports(tmp_path):
    modules = {
        "js/a.js": 'import { b } from "./deep/b.js";\nimport {\n  c,\n} from "./c.js";\nconst path = "./none.js";\n',
        "js/deep/b.js": 'export * from "../c.js";\nimport "./d.js";\nexport const at = "./none.js";\n',
        "js/c.js": 'import { a } from "./a.js"; // a circle\n',
        "js/deep/d.js": "",
        "js/apart.js": 'import "./a.js";\n',
    }
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    files = StaticFiles(tmp_path)
    assert files.modules("js/a.js") == [files.url(name) for name in ("js/deep/b.js", "js/c.js", "js/deep/d.js")]
    (tmp_path / "js/deep/d.js").unlink()
    with pytest.raises(ValueError, match=r"^static/js/deep/b\.js imports static/js/deep/d\.js, which is not there$"):
        StaticFiles(tmp_path)


def test_an_address_of_nothing_is_a_mistake_that_is_seen(files):
    with pytest.raises(KeyError):
        files.url("js/nothing.js")
