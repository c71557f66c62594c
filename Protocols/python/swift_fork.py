"""A peer for the native dialect, version 1: what ../native-v1.md says, on Python's standard library alone.

A child:

    channel = swift_fork.connect()
    for message in channel:
        channel.send({"echo": message.value})

A parent:

    with swift_fork.fork("./child") as child:
        child.channel.send("Hello")
        print(child.channel.receive().value)

Nothing here has a thread or a loop: `send` waits until the kernel has taken the message, `receive` until one is there.
Both may be called at the same time, from two threads; whoever sends much to a peer that answers much needs that.
"""

import array
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import threading
from decimal import Decimal

VARIABLE = "SWIFT_FORK_CHANNEL_FD"
VERSION = (1, 0)
DEFAULT_LIMIT = 67_108_864
CONTROL_LIMIT = 65_536
FRAGMENT = 1_048_576
MOST_DESCRIPTORS = 253
MOST_LEVELS = 512

HELLO, ABORT, MESSAGE, BYTES = 0x01, 0x02, 0x10, 0x11
CONTROLS, MESSAGES = (HELLO, ABORT), (MESSAGE, BYTES)
MORE = 0x01
HEADER = struct.Struct(">IBBH")


# Errors. Those that the specification names carry the name.


class Disconnected(Exception):
    """Nothing can be sent: either side has ended its direction, or the other process is gone."""


class Aborted(Exception):
    """The other side found something wrong with what was sent, and gave the channel up."""


class ProtocolError(Exception):
    """The other side broke the protocol, and the channel has been closed."""

    def __init__(self, name, explanation):
        super().__init__(f"{explanation} ({name})")
        self.name = name


class MessageLost(Exception):
    """One message can't be had. The next `receive` gives the one after it."""

    def __init__(self, name, explanation):
        super().__init__(f"{explanation} ({name})")
        self.name = name


class Refused(ValueError):
    """The other side does not take such a message; nothing was sent."""

    def __init__(self, name, explanation):
        super().__init__(f"{explanation} ({name})")
        self.name = name


# JSON, section 8. Python's parser is used, and stopped wherever it would take what the specification does not, or would
# make something else of it.


class JSONError(ValueError):
    def __init__(self, name, explanation):
        super().__init__(explanation)
        self.name = name


BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)
INFINITIES = (float("inf"), float("-inf"))
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode_json(body):
    """The value of a JSON text, given as bytes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONError("invalidUTF8", f"the text is not UTF-8: {error}") from None
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except JSONError:
        raise
    except ValueError as error:
        raise JSONError("syntax", str(error)) from None
    # Python joins pairs and keeps lone halves, which no encoder of UTF-8 takes.
    if SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise JSONError("loneSurrogate", "an escape is half a surrogate pair") from None
    return value


def _check_depth(text):
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return
    depth = 0
    for match in BRACKETS.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > MOST_LEVELS:
                raise JSONError("tooDeep", f"there are more than {MOST_LEVELS} arrays and objects in each other")
        elif match[0] in "]}":
            depth -= 1


def _object(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JSONError("duplicateKey", "an object has the same key twice")
    return result


def _integer(literal):
    if literal == "-0":
        return -0.0
    # The largest double has 309 digits, and Python would not convert thousands.
    if len(literal) <= 310:
        value, double = int(literal), float(literal)
        if -(2**63) <= value < 2**64:
            return value
        # `repr` is the shortest form, as in JavaScript.
        if double not in INFINITIES and value == Decimal(repr(double)):
            return double
    raise JSONError("numberOutOfRange", f"{literal[:40]} would become another number")


def _double(literal):
    value = float(literal)
    is_zero = not re.search("[1-9]", re.split("[eE]", literal)[0])
    if value in INFINITIES or (value == 0 and not is_zero):
        raise JSONError("numberOutOfRange", f"{literal[:40]} would become another number")
    return value


def _constant(literal):
    raise JSONError("syntax", f"{literal} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_double, parse_constant=_constant)


def encode_json(value):
    """The JSON text of a value, as bytes. What JSON can't say is refused, and nothing is made into something else."""
    _check_value(value, 1)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise JSONError("loneSurrogate", "a string has half a surrogate pair") from None


def _check_value(value, level):
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise JSONError("numberOutOfRange", f"{value:.20e} is beyond 64 bits; send a float or a string")
    elif isinstance(value, float):
        # NaN is not equal to itself.
        if value != value or value in INFINITIES:
            raise JSONError("numberOutOfRange", f"{value} has no JSON form")
    elif isinstance(value, (list, tuple, dict)):
        if level > MOST_LEVELS:
            raise JSONError("tooDeep", f"there are more than {MOST_LEVELS} lists and dictionaries in each other")
        if isinstance(value, dict):
            # Python would make a string of 1, None and True, and two keys the same by that.
            if not all(isinstance(key, str) for key in value):
                raise JSONError("syntax", "the keys of a dictionary have to be strings")
            value = value.values()
        for element in value:
            _check_value(element, level + 1)
    else:
        raise JSONError("syntax", f"a value of type {type(value).__name__} has no JSON form")


# Frames, sections 2 to 5.


class Hello:
    """What a side says of itself: the features that it has and the longest message that it reads."""

    def __init__(self, limit=DEFAULT_LIMIT, features=("handles",), minor=VERSION[1]):
        self.limit, self.features, self.minor = limit, tuple(features), minor

    def encoded(self):
        version = {"major": VERSION[0], "minor": self.minor}
        return encode_json({"version": version, "features": list(self.features), "limits": {"message": self.limit}})

    @classmethod
    def decoded(cls, body):
        try:
            value = decode_json(body)
        except JSONError as error:
            raise ProtocolError("badHello", f"the hello is not JSON: {error}") from None
        version = _member(value, "version", dict)
        major, minor = _member(version, "major", int), _member(version, "minor", int)
        # Whatever else another version has in its hello, it need not look like this one's.
        if major != VERSION[0]:
            raise ProtocolError("unsupportedVersion", f"the other side speaks version {major}")
        features = _member(value, "features", list)
        limit = _member(_member(value, "limits", dict), "message", int)
        if limit < 1024 or not all(isinstance(feature, str) for feature in features):
            raise ProtocolError("badHello", "the hello's limit is too low, or a feature is no string")
        return cls(limit, features, minor)


def _member(value, name, kind):
    member = value.get(name) if isinstance(value, dict) else None
    if kind is int and isinstance(member, float) and member.is_integer():
        # 1024.0 and 1e3 are integers too.
        member = int(member)
    # A bool is an int in Python.
    if not isinstance(member, kind) or isinstance(member, bool):
        raise ProtocolError("badHello", f"the hello has no {name}, or one of another type")
    return member


class Frame:
    """A control frame, or a message with its fragments put together."""

    def __init__(self, kind, descriptors=0, claimed=None):
        self.kind, self.descriptors, self.claimed = kind, descriptors, claimed
        self.body = bytearray()
        self.hello = None


class FrameReader:
    """Bytes in, frames out. It knows no socket; `next` gives frames until it needs more bytes.

    `claim(offset, count)` is called for each message that announces descriptors, as soon as its header is known; the
    offset is where in the stream that header begins. What it returns becomes the frame's `claimed`.
    """

    def __init__(self, limit=DEFAULT_LIMIT, claim=None):
        self.limit = limit
        self.next_header = 0
        self._claim = claim or (lambda offset, count: None)
        self._buffer = bytearray()
        self._header = None
        self._message = None
        self._has_hello = False

    def feed(self, data):
        self._buffer += data

    def next(self):
        """The next frame, or None where more bytes are needed."""
        while self._header or self._read_header():
            kind, flags, length = self._header
            if len(self._buffer) < length:
                return None
            self._header = None
            frame = Frame(kind) if kind in CONTROLS else self._message
            frame.body += self._buffer[:length]
            del self._buffer[:length]
            if kind == HELLO:
                frame.hello = Hello.decoded(frame.body)
                self._has_hello = True
            if kind in MESSAGES:
                if flags & MORE:
                    continue
                self._message = None
            return frame
        return None

    def end(self):
        """The stream has ended."""
        if self._buffer or self._header or self._message:
            raise ProtocolError("truncated", "the stream ended inside a frame or a message")

    def _read_header(self):
        # The order of the checks is the specification's.
        if len(self._buffer) < 4:
            return False
        length = int.from_bytes(self._buffer[:4], "big") - 4
        if length < 0:
            raise ProtocolError("lengthTooSmall", f"a frame has the length {length + 4}")
        if length > max(self.limit, CONTROL_LIMIT):
            raise ProtocolError("tooLong", f"a frame of {length} bytes")
        if len(self._buffer) < HEADER.size:
            return False
        _, kind, flags, descriptors = HEADER.unpack(self._buffer[:8])
        if kind not in CONTROLS + MESSAGES:
            raise ProtocolError("unknownKind", f"a frame has the kind {kind}")
        if flags & ~MORE:
            raise ProtocolError("unknownFlags", f"a frame has the flags {flags}")
        if self._has_hello and kind == HELLO:
            raise ProtocolError("repeatedHello", "there is a second hello")
        if not self._has_hello and kind != HELLO:
            raise ProtocolError("noHello", "the first frame is not a hello")
        if kind in CONTROLS:
            self._check_control(flags, length, descriptors)
        else:
            self._check_message(kind, length, descriptors)
        offset = self.next_header
        self.next_header += HEADER.size + length
        if kind in MESSAGES and not self._message:
            claimed = self._claim(offset, descriptors) if descriptors else None
            self._message = Frame(kind, descriptors, claimed)
        del self._buffer[:8]
        self._header = (kind, flags, length)
        return True

    def _check_control(self, flags, length, descriptors):
        if flags & MORE:
            raise ProtocolError("fragmentedControl", "a control frame is marked as a fragment")
        if length > CONTROL_LIMIT:
            raise ProtocolError("tooLong", f"a control frame of {length} bytes")
        if descriptors:
            raise ProtocolError("handlesDoNotMatch", "a control frame announces descriptors")

    def _check_message(self, kind, length, descriptors):
        begun = self._message
        if begun and begun.kind != kind:
            raise ProtocolError("interruptedMessage", "a message begins before the one before it has ended")
        if length + (len(begun.body) if begun else 0) > self.limit:
            raise ProtocolError("tooLong", f"a message of more than {self.limit} bytes")
        if descriptors > (0 if begun else MOST_DESCRIPTORS):
            raise ProtocolError("handlesDoNotMatch", f"a frame announces {descriptors} descriptors")


def frames(kind, body, descriptors=0):
    """The frames of a message or of a control frame, each as a header and a body."""
    body = memoryview(body)
    for start in range(0, max(len(body), 1), FRAGMENT):
        piece = body[start : start + FRAGMENT]
        flags = MORE if start + FRAGMENT < len(body) else 0
        yield HEADER.pack(4 + len(piece), kind, flags, 0 if start else descriptors), piece


# Descriptors, section 9.


class _Arrived:
    """The descriptors that came with one `recvmsg`, and which bytes of the stream it returned."""

    def __init__(self, start, end, fds, is_incomplete):
        self.start, self.end, self.fds, self.is_incomplete = start, end, fds, is_incomplete


def _close_all(fds):
    for fd in fds:
        os.close(fd)


# The channel.


class Message:
    """What arrived: a `value`, or `bytes`, and the descriptors that came with it. Who receives closes them."""

    def __init__(self, value, data, fds):
        self.value, self.bytes, self.fds = value, data, fds


class Channel:
    """One side of a channel over a connected Unix stream socket, which it owns."""

    def __init__(self, connection, limit=DEFAULT_LIMIT, takes_handles=True, is_child=False):
        self._socket = connection
        self._takes_handles = takes_handles
        self._reader = FrameReader(limit, self._claim)
        self._received = 0
        self._arrived = []
        self._has_ended = False
        self._sending = threading.Lock()
        self._can_send = True
        self.peer = None
        if is_child:
            self._adopt_limit()
        features = ("handles",) if takes_handles else ()
        with contextlib.suppress(Disconnected):
            self._write(frames(HELLO, Hello(self._reader.limit, features).encoded()))

    # Sending

    def send(self, value, fds=()):
        """Sends a value as JSON, and open descriptors with it; the sender's own copies stay open."""
        self._send(MESSAGE, encode_json(value), fds)

    def send_bytes(self, data, fds=()):
        """Sends bytes as they are."""
        self._send(BYTES, data, fds)

    def _send(self, kind, body, fds):
        # Until the other's hello has been read, its limit is taken to be the same as this side's.
        limit = self.peer.limit if self.peer else self._reader.limit
        if len(body) > limit:
            raise Refused("messageTooLong", f"the message has {len(body)} bytes, and the other side reads {limit}")
        if len(fds) > MOST_DESCRIPTORS:
            raise Refused("handlesDoNotMatch", f"a message takes at most {MOST_DESCRIPTORS} descriptors")
        if fds and self.peer and "handles" not in self.peer.features:
            raise Refused("handlesNotTaken", "the other side takes no descriptors")
        self._write(frames(kind, body, len(fds)), fds)

    def _write(self, pieces, fds=()):
        with self._sending:
            if not self._can_send:
                raise Disconnected("this side has ended its direction, or the other process is gone")
            try:
                for header, body in pieces:
                    sent = 0
                    while sent < len(header) + len(body):
                        # With the first byte go all descriptors; what is sent after it goes without.
                        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                        rest = [header[sent:], body[max(0, sent - len(header)) :]]
                        sent += self._socket.sendmsg(rest, rights, socket.MSG_NOSIGNAL)
                        fds = ()
            except (BrokenPipeError, ConnectionResetError):
                # What the other side had sent before it closed can still be read.
                self._can_send = False
                raise Disconnected("the other side has closed the channel") from None

    def disconnect(self):
        """Ends this direction. All that was sent arrives, and what the other side still sends can be received."""
        with self._sending:
            if self._can_send:
                self._can_send = False
                # The other side may be gone altogether.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        """Ends both directions at once. What is on its way here is lost."""
        self.disconnect()
        self._has_ended = True
        self._socket.close()
        _close_all([fd for arrived in self._arrived for fd in arrived.fds])
        self._arrived = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # Receiving

    def __iter__(self):
        return self

    def __next__(self):
        message = self.receive()
        if message is None:
            raise StopIteration
        return message

    def receive(self):
        """The next message, or None when the other side has ended.

        Raises `MessageLost` where one message can't be had, and the next call gives the one after it; `ProtocolError`
        or `Aborted` where the channel has ended by a mistake.
        """
        while not self._has_ended:
            try:
                frame = self._next_frame()
                while frame is None and self._read():
                    frame = self._next_frame()
                if frame is None:
                    self._reader.end()
            except ProtocolError as error:
                self._abort(error)
                raise
            if frame is None:
                # Both directions have ended now.
                self.close()
            elif frame.kind == HELLO:
                self.peer = frame.hello
            elif frame.kind == ABORT:
                self.close()
                raise Aborted(_reason(frame.body))
            else:
                return self._message(frame)
        return None

    def _next_frame(self):
        frame = self._reader.next()
        # Descriptors for which no header can come any more.
        if self._arrived and self._arrived[0].end <= self._reader.next_header:
            raise ProtocolError("handlesDoNotMatch", "descriptors came that no message announced")
        return frame

    def _read(self, flags=0):
        """Takes what the socket has. False at the end of the stream."""
        try:
            if self._takes_handles:
                data, fds, is_incomplete = self._read_with_descriptors(flags)
            else:
                # Without a control buffer the kernel closes what comes.
                data, fds, is_incomplete = self._socket.recv(FRAGMENT, flags), [], False
        except ConnectionResetError:
            # The other side closed without reading all. This comes after its last byte.
            return False
        start = self._received
        self._received += len(data)
        if fds or is_incomplete:
            self._arrived.append(_Arrived(start, self._received, fds, is_incomplete))
        self._reader.feed(data)
        return bool(data)

    def _read_with_descriptors(self, flags):
        fds = array.array("i")
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * fds.itemsize)
        data, control, flags, _ = self._socket.recvmsg(FRAGMENT, room, flags | socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) // fds.itemsize * fds.itemsize])
        return data, list(fds), bool(flags & socket.MSG_CTRUNC)

    def _claim(self, offset, count):
        """The descriptors of the message whose header begins at the offset."""
        if not self._takes_handles:
            return None
        # One `recvmsg` brings those of one message at most: the one that announces some and begins in those bytes.
        if not self._arrived or not self._arrived[0].start <= offset < self._arrived[0].end:
            raise ProtocolError("handlesDoNotMatch", f"{count} descriptors were announced, and others or none came")
        arrived = self._arrived.pop(0)
        if len(arrived.fds) != count and not arrived.is_incomplete:
            _close_all(arrived.fds)
            raise ProtocolError(
                "handlesDoNotMatch", f"{count} descriptors were announced, and {len(arrived.fds)} came")
        return arrived

    def _message(self, frame):
        fds = frame.claimed.fds if frame.claimed else []
        if frame.descriptors and not self._takes_handles:
            raise MessageLost("handlesNotTaken", "a message came with descriptors, which this side does not take")
        if len(fds) != frame.descriptors:
            _close_all(fds)
            raise MessageLost("handlesLost", "there was no room for the descriptors of a message")
        if frame.kind == BYTES:
            return Message(None, bytes(frame.body), fds)
        try:
            return Message(decode_json(frame.body), None, fds)
        except JSONError as error:
            _close_all(fds)
            raise MessageLost(error.name, f"a message is not JSON as it has to be: {error}") from None

    def _adopt_limit(self):
        """A child reads as much as its parent does, where the parent's hello is there already."""
        try:
            # The hello is left in the socket, where `receive` finds it: only the limit is wanted now.
            seen = FrameReader(self._reader.limit)
            seen.feed(self._socket.recv(CONTROL_LIMIT + HEADER.size, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            frame = seen.next()
        except (OSError, ProtocolError):
            return
        if frame and frame.hello:
            self._reader.limit = frame.hello.limit
            self.peer = frame.hello

    def _abort(self, error):
        """Says why the channel is given up, where that can be said without waiting."""
        if error.name != "truncated" and self._sending.acquire(blocking=False):
            try:
                body = encode_json({"code": "protocolViolation", "message": str(error)})
                if self._can_send:
                    self._socket.sendmsg(*frames(ABORT, body), [], socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
            except OSError:
                pass
            finally:
                self._sending.release()
        self.close()


def _reason(body):
    try:
        value = decode_json(body)
    except JSONError:
        value = None
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else "the other side gave no reason"


# Parent and child, section 1.


def connect(**options):
    """The channel to the parent that has started this program, or None where no parent gave it one."""
    text = os.environ.pop(VARIABLE, "")
    if not re.fullmatch("[0-9]{1,9}", text):
        return None
    try:
        connection = socket.socket(fileno=int(text))
    except OSError:
        return None
    if (connection.family, connection.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
        # It belongs to somebody else.
        connection.detach()
        return None
    connection.set_inheritable(False)
    connection.setblocking(True)
    return Channel(connection, is_child=True, **options)


class Child:
    """A program that this one has started: its `channel` and its `process`."""

    def __init__(self, channel, process):
        self.channel, self.process = channel, process

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.channel.close()
        self.process.__exit__(*exception)


def fork(path, args=(), limit=DEFAULT_LIMIT, takes_handles=True, env=None, **options):
    """Starts a program with a channel; the other options are those of `subprocess.Popen`."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    # The hello is in the socket before the child is there to look for it.
    channel = Channel(own, limit, takes_handles)
    with other:
        variables = {**(os.environ if env is None else env), VARIABLE: str(other.fileno())}
        try:
            process = subprocess.Popen([path, *args], env=variables, pass_fds=[other.fileno()], **options)
        except BaseException:
            channel.close()
            raise
    return Child(channel, process)
