"""A headless Chromium that is driven over its DevTools protocol, with Python's standard library alone."""
import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request


class WebSocket:
    """The client side of RFC 6455, as far as DevTools needs it: unfragmented masked texts out, whole texts in."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(4096)
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head

    def send(self, text):
        payload, mask = text.encode(), os.urandom(4)
        size = len(payload)
        head = b"\x81" + (bytes([0x80 | size]) if size < 126 else
                          b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def take(self, size):
        while len(self.rest) < size:
            part = self.socket.recv(1 << 20)
            if not part:
                raise ConnectionError("the browser closed the connection")
            self.rest += part
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def receive(self):
        text = b""
        while True:
            first, second = self.take(2)
            size = second & 127
            if size == 126:
                size = struct.unpack(">H", self.take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.take(8))[0]
            payload = self.take(size)
            if first & 15 == 9:  # a ping, which asks for nothing here
                continue
            text += payload
            if first & 128:
                return text.decode()


class BrowserError(Exception):
    pass


class Gone(BrowserError):
    """The document that was asked is being replaced by another one."""


class Browser:
    def __init__(self, program, width=1280, height=900):
        self.folder = tempfile.mkdtemp(prefix="report-browser-")
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0",
             f"--user-data-dir={self.folder}/profile", f"--window-size={width},{height}", "about:blank"],
            stdout=self.log, stderr=self.log)
        self.socket, self.number, self.errors, self.requests = None, 0, [], []
        port = self.wait(self.port, 60, "Chromium's port")
        page = self.wait(lambda: self.page(port), 30, "a page in Chromium")
        self.socket = WebSocket(page["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def port(self):
        if self.process.poll() is not None:
            raise BrowserError(f"Chromium ended with code {self.process.returncode}: "
                               + open(self.log.name, errors="replace").read()[-2000:])
        file = os.path.join(self.folder, "profile", "DevToolsActivePort")
        lines = open(file).read().split() if os.path.exists(file) else []
        return int(lines[0]) if lines else None

    def page(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            return next((page for page in json.load(answer) if page["type"] == "page"), None)

    @staticmethod
    def wait(found, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            result = found()
            if result:
                return result
            time.sleep(0.05)
        raise BrowserError(f"waited {seconds} s in vain for {what}")

    def call(self, method, **params):
        self.number += 1
        number = self.number
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.receive())
            if message.get("id") == number:
                if "error" in message:
                    text = message["error"]["message"]
                    raise (Gone if "context" in text.lower() or "navigated" in text.lower() else BrowserError)(text)
                return message["result"]
            self.note(message)

    def note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(part.get("value", part.get("description"))) for part in params["args"]))
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if method == "Page.javascriptDialogOpening":
            self.errors.append("a dialog: " + params["message"])

    def evaluate(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]) + "\nin: " + expression)
        return result["result"].get("value")

    def until(self, expression, seconds=30):
        """Waits until an expression is true; while a document is being replaced it is not."""
        def holds():
            try:
                return self.evaluate(expression)
            except Gone:
                return None
        return self.wait(holds, seconds, expression)

    def open(self, path):
        """Opens a file, and returns the seconds until it is drawn and idle."""
        start = time.monotonic()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.until(f"location.pathname.endsWith({json.dumps('/' + os.path.basename(path))}) && document.readyState === 'complete'")
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        return time.monotonic() - start

    def size(self, width, height, phone=False, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def press(self, key, code=None, text=None):
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        if text or key == "Enter" or len(key) == 1:
            event["text"] = "\r" if key == "Enter" else text or key
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=event["code"])

    def drag(self, x0, y0, x1, y1):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x0, y=y0)
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y0, button="left", clickCount=1)
        for part in (0.3, 0.6, 1):
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x0 + (x1 - x0) * part, y=y0 + (y1 - y0) * part, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y1, button="left", clickCount=1)

    def screenshot(self, path, whole=False):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def pdf_pages(self):
        return base64.b64decode(self.call("Page.printToPDF")["data"]).count(b"/Type /Page\n")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
