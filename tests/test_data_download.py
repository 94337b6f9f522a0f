"""Downloads from a real server that answers wrongly, breaks off, leads astray or says nothing."""

import hashlib
import os
import resource
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from minidl.data import read_text
from minidl.data.sources.download import _redirected, cache_folder, fetch
from minidl.system.errors import DataError, StorageError

TEXT = "Es war einmal ein König.\n".encode() * 40
HASH = hashlib.sha256(TEXT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/"))()

    def log_message(self, *args):
        pass

    def head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def sound(self):
        self.head(Content_Length=len(TEXT))
        self.wfile.write(TEXT)

    def unmeasured(self):
        self.head()
        self.wfile.write(TEXT)

    def cut_off(self):
        self.head(Content_Length=len(TEXT) + 1)
        self.wfile.write(TEXT)

    def cut_chunks(self):
        self.head(Transfer_Encoding="chunked")
        self.wfile.write(b"ff\r\nonly this")

    def moved(self):
        self.head(302, Location="/sound")

    def to_file(self):
        self.head(302, Location="file:///etc/passwd")

    def to_ftp(self):
        self.head(302, Location="ftp://127.0.0.1/sound")

    def in_a_circle(self):
        self.head(302, Location="/in_a_circle")

    def to_nonsense(self):
        self.head(302, Location="http://[::1/sound")

    def absent(self):
        self.send_error(404)

    def silent(self):
        self.server.over.wait(10)

    def slow(self):
        self.head(Content_Length=len(TEXT))
        for start in range(0, len(TEXT), 100):
            self.wfile.write(TEXT[start : start + 100])
            self.server.over.wait(0.05)

    def stuck(self):
        self.head(Content_Length=len(TEXT))
        self.wfile.write(TEXT[:10])
        self.server.over.wait(10)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = False  # closing waits for the answers under way
        running.asked, running.over = [], threading.Event()
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


def kept():
    return sorted(path.name for path in cache_folder().glob("*"))


def test_a_sound_download_is_made_once(server):
    source = {"url": f"{server.url}/sound", "sha256": HASH.upper()}
    assert read_text(source, Path()) == TEXT.decode()
    assert read_text(source, Path()) == TEXT.decode()
    assert server.asked == ["/sound"]
    assert kept() == [HASH]


@pytest.mark.parametrize("path", ["unmeasured", "moved"])
def test_other_ways_to_a_sound_download(server, path):
    assert fetch(f"{server.url}/{path}", HASH) == TEXT


def test_a_slow_download_is_waited_for_while_it_goes_on(server):
    """Longer in all than any pause may be."""
    begun = time.monotonic()
    assert fetch(f"{server.url}/slow", HASH, timeout=0.4) == TEXT
    assert time.monotonic() - begun > 0.4


def test_a_spoiled_cache_is_not_trusted(server):
    cache_folder().mkdir(parents=True)
    (cache_folder() / HASH).write_bytes(TEXT[:-1])
    assert fetch(f"{server.url}/sound", HASH) == TEXT
    assert (cache_folder() / HASH).read_bytes() == TEXT


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cut_off", f"cut off after {len(TEXT)} of {len(TEXT) + 1} bytes"),
        ("cut_chunks", "broke off"),
        ("to_file", "redirects to file:///etc/passwd, which is not http or https: refused"),
        ("to_ftp", "redirects to ftp://127.0.0.1/sound, which is not http or https: refused"),
        ("in_a_circle", "redirects more than 10 times"),
        ("to_nonsense", "broke off"),
        ("absent", "answered 404 Not Found"),
        ("silent", "timed out"),
        ("stuck", "timed out"),
    ],
)
def test_bad_answers_leave_nothing_behind(server, path, said):
    with pytest.raises(DataError) as caught:
        fetch(f"{server.url}/{path}", HASH, timeout=0.3)
    assert f"{server.url}/{path}" in str(caught.value)
    assert said in str(caught.value)
    assert kept() == []


def test_a_wrong_hash_shows_both(server):
    with pytest.raises(DataError, match=rf"/sound: the {len(TEXT)} bytes have sha256 {HASH}, expected 0000"):
        fetch(f"{server.url}/sound", "0" * 64)
    assert kept() == []


def test_a_file_beyond_the_limit(server):
    with pytest.raises(DataError, match="more than 100 bytes"):
        fetch(f"{server.url}/unmeasured", HASH, limit=100)
    assert fetch(f"{server.url}/unmeasured", HASH, limit=len(TEXT)) == TEXT


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd", "data:,x", ""])
def test_other_schemes(url):
    with pytest.raises(DataError, match="http or https only"):
        fetch(url, HASH)


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://[::1/", "http:///x", "http://127.0.0.1/a b\n"])
def test_addresses_that_are_none(url, server):
    with pytest.raises(DataError):
        fetch(url, HASH)


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64, "../../" + "0" * 58, HASH + "0"])
def test_a_hash_that_is_none(sha256):
    with pytest.raises(DataError, match="64 hexadecimal digits"):
        fetch("http://127.0.0.1/", sha256)


def test_nobody_answers(server):
    unused = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    unused.server_close()
    with pytest.raises(DataError, match=r"no answer .*refused"):
        fetch(f"http://127.0.0.1:{unused.server_port}/x", HASH)


def test_an_encrypted_address_does_not_lead_to_a_plain_one():
    with pytest.raises(DataError, match="which is not https: refused"):
        _redirected("https://a.test", "http://a.test/x")
    assert _redirected("https://a.test/x/y", "../z") == "https://a.test/z"


def test_a_cache_that_is_a_file(server, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot be kept .*XDG_CACHE_HOME"):
        fetch(f"{server.url}/sound", HASH)


@contextmanager
def files_of_at_most(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room(server):
    with files_of_at_most(500), pytest.raises(StorageError, match="cannot be kept"):
        fetch(f"{server.url}/sound", HASH)
    assert kept() == []


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # in no list of users
    with pytest.raises(StorageError, match="set XDG_CACHE_HOME"):
        fetch("http://127.0.0.1/", HASH)


def test_the_cache_is_in_the_home_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "minidl"
