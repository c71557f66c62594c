"""A peer for the native dialect, version 1: what ../native-v1.md says, on Python's standard library alone.

A child:

    channel = swift_fork.connect()
    for message in channel:
        channel.send({"echo": message.value})

A parent:

    with swift_fork.fork("./child") as child:
        child.channel.send("Hello")
        print(child.channel.receive().value)

From the top to the class `Sender` nothing knows a socket: `Reader` makes frames of bytes, `Sender` makes bytes of
messages, and `Conversations` is what both know of the ids. `Channel` has the socket, and one thread that reads always,
whether or not anybody receives, and writes what could not be written at once.
"""

import array
import contextlib
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from decimal import Decimal

VARIABLE = "SWIFT_FORK_CHANNEL_FD"
LIMIT_VARIABLE = "SWIFT_FORK_MESSAGE_LIMIT"
VERSION = (1, 0)
LARGEST = 2**53 - 1

# What this side announces, unless it is told otherwise.
DEFAULT_LIMIT = 67_108_864
DEFAULT_WINDOW = 262_144
DEFAULT_IDS = 256
# What every hello allows, so what may be sent before it has come.
FLOOR_LIMIT = 65_536
FLOOR_WINDOW = 262_144

MOST_BODY = 262_144
MOST_DESCRIPTION = 65_535
MOST_DESCRIPTORS = 253
MOST_LEVELS = 512
# Messages are cut into pieces of this size, so that those of other ids get their turns.
PIECE = 65_536
READ_SIZE = 1_048_576
# What a data frame costs beside its body, and each of its descriptors.
COST, DESCRIPTOR_COST = 64, 4_096
# So long an abort waits for the socket.
ABORT_SECONDS = 1.0

HELLO, ABORT, PING, PONG, CREDIT, CANCEL, END = range(0x01, 0x08)
MESSAGE, BYTES, FAILURE = 0x10, 0x11, 0x12
DATA = (MESSAGE, BYTES, FAILURE)
KINDS = (HELLO, ABORT, PING, PONG, CREDIT, CANCEL, END, *DATA)
SIZES = {PING: 8, PONG: 8, CREDIT: 16, CANCEL: 0, END: 0}
MORE, OPEN, META = 0x01, 0x02, 0x04
HEADER = struct.Struct(">IBBHQ")
NUMBER = struct.Struct(">Q")
TWO_NUMBERS = struct.Struct(">QQ")


# Errors. Those that the specification names carry the name.


class Disconnected(Exception):
    """Nothing can be sent: either side has ended its direction, or the other process is gone."""


class Aborted(Exception):
    """The other side gave the channel up. `code` is for programs, and None if it gave no reason."""

    def __init__(self, code, explanation):
        super().__init__(explanation)
        self.code = code


class _Named(Exception):
    def __init__(self, name, explanation):
        super().__init__(f"{explanation} ({name})")
        self.name = name


class ProtocolError(_Named):
    """The other side broke the protocol, and the channel has been closed."""


class MessageLost(_Named):
    """One message can't be had. The next `receive` gives the one after it.

    `id` is its conversation, which has been given up by that, or 0 if it was a plain message.
    """

    id = 0


class Refused(_Named, ValueError):
    """The other side does not take such a message; nothing was sent."""


# JSON, section 12. Python's parser is used, and stopped wherever it would take what the specification does not, or
# would make something else of it.


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


# What hellos, descriptions and reasons say, sections 4, 5, 6 and 9.


class Hello:
    """What a side says of itself: what it reads, what it allows at first, and the features that it has."""

    def __init__(self, limit=DEFAULT_LIMIT, window=DEFAULT_WINDOW, ids=DEFAULT_IDS, features=("handles",), minor=0):
        self.limit, self.window, self.ids, self.minor = limit, window, ids, minor
        self.features = tuple(features)

    def encoded(self):
        version = {"major": VERSION[0], "minor": self.minor}
        limits = {"message": self.limit, "window": self.window, "ids": self.ids}
        return encode_json({"version": version, "features": list(self.features), "limits": limits})

    @classmethod
    def decoded(cls, body):
        try:
            value = decode_json(body)
            version = _member(value, "version", dict)
            major, minor = _number(version, "major"), _number(version, "minor")
            # Whatever else another version has in its hello, it need not look like this one's.
            if major != VERSION[0]:
                raise ProtocolError("unsupportedVersion", f"the other side speaks version {major}")
            features = _member(value, "features", list)
            if not all(isinstance(feature, str) for feature in features):
                raise JSONError("syntax", "a feature is no string")
            limits = _member(value, "limits", dict)
            limit = _number(limits, "message", FLOOR_LIMIT)
            window = _number(limits, "window", FLOOR_WINDOW)
            ids = _number(limits, "ids") if "ids" in limits else 0
        except JSONError as error:
            raise ProtocolError("badHello", f"the hello is not what it has to be: {error}") from None
        return cls(limit, window, ids, features, minor)


class Description:
    """What is said of a message beside it. All is optional."""

    def __init__(self, name=None, timeout=None, trace=None):
        self.name, self.timeout, self.trace = name, timeout, trace

    def encoded(self):
        members = {"name": self.name, "timeout": self.timeout, "trace": self.trace}
        body = encode_json({key: member for key, member in members.items() if member is not None})
        try:
            Description.decoded(body)
        except ProtocolError as error:
            raise Refused("badMeta", str(error)) from None
        return body

    @classmethod
    def decoded(cls, body):
        try:
            value = decode_json(body)
            if not isinstance(value, dict):
                raise JSONError("syntax", "it is no object")
            name = _member(value, "name", str) if "name" in value else None
            timeout = _number(value, "timeout") if "timeout" in value else None
            trace = _member(value, "trace", dict) if "trace" in value else None
            if not all(isinstance(member, str) for member in (trace or {}).values()):
                raise JSONError("syntax", "a member of the trace is no string")
        except JSONError as error:
            raise ProtocolError("badMeta", f"a description is not what it has to be: {error}") from None
        return cls(name, timeout, trace)


def reason_of(body):
    """The code and the message of a failure or an abort, or None if they can't be read."""
    try:
        value = decode_json(body)
        return _member(value, "code", str), _member(value, "message", str)
    except JSONError:
        return None


def _member(value, name, kind):
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        raise JSONError("syntax", f"there is no {name}, or one of another type")
    return member


def _number(value, name, least=0):
    member = _member(value, name, (int, float))
    # A bool is an int in Python. 1024.0 and 1e3 are integers too.
    if isinstance(member, bool) or member != member // 1 or not least <= member <= LARGEST:
        raise JSONError("syntax", f"{name} is {member}, which it can't be")
    return int(member)


# Ids and credit, sections 6 and 7.


class Conversation:
    """An id, with both its directions. That of the plain messages is the one with id 0."""

    def __init__(self, id, granted, credit):
        self.id = id
        self.is_over = False
        # From the other side: the offsets up to which it has come, may go, and has been taken; the message whose
        # frames are coming; and how many messages and ends nobody has taken yet.
        self.received, self.granted, self.taken = 0, granted, 0
        self.begun = None
        self.untaken = 0
        self.peer_has_ended = False
        # To the other side: the offsets up to which this side has come and may go, and the messages that wait.
        self.sent, self.credit = 0, credit
        self.queue = deque()
        # The last message is queued; it has been made into frames.
        self.is_ending = self.has_ended = False


class Conversations:
    """What there is of ids, for the reader and for the sender."""

    def __init__(self, is_child, window=DEFAULT_WINDOW, ids=DEFAULT_IDS):
        self._window = window
        # The first ids are 1 and 2, and each side's go up in twos.
        self.last_own = 0 if is_child else -1
        self.last_peers = -1 - self.last_own
        # The highest that each may open.
        self.own_limit = self.last_own
        self.peers_limit = self.last_peers + 2 * ids
        self._first_credit = FLOOR_WINDOW
        self._released = 0
        self.plain = Conversation(0, window, FLOOR_WINDOW)
        self.open = {0: self.plain}
        # Those whose messages have begun, the oldest first.
        self.begun = {}

    def is_own(self, id):
        return id % 2 == self.last_own % 2

    def find(self, id):
        """The conversation, or None if it is over. It is an error if it was never opened."""
        if id not in self.open and id > (self.last_own if self.is_own(id) else self.last_peers):
            raise ProtocolError("idNotOpened", f"a frame has the id {id}, which nobody has opened")
        return self.open.get(id)

    def learn(self, hello):
        """The other side's hello has come."""
        self.own_limit = self.last_own + 2 * hello.ids
        self._first_credit = hello.window
        self.plain.credit = max(self.plain.credit, hello.window)

    def learn_credit(self, conversation, limit, highest):
        """The highest id counts even if the frame's own id is over."""
        if conversation:
            conversation.credit = max(conversation.credit, limit)
        self.own_limit = max(self.own_limit, highest)

    # How conversations begin and end

    def may_open(self):
        return self.last_own + 2 <= self.own_limit

    def add_own(self):
        self.last_own += 2
        return self._add(self.last_own)

    def add_peers(self):
        self.last_peers += 2
        return self._add(self.last_peers)

    def _add(self, id):
        self.open[id] = Conversation(id, self._window, self._first_credit)
        return self.open[id]

    def end_own(self, conversation):
        conversation.is_ending = conversation.has_ended = True
        if conversation.peer_has_ended:
            self.close(conversation)

    def end_peers(self, conversation):
        conversation.peer_has_ended = True
        if conversation.has_ended:
            self.close(conversation)

    def end_all_own(self):
        """This side has said `end` with id 0, so what it owes won't come."""
        self.plain.has_ended = True
        for conversation in [each for each in self.open.values() if each.id and not each.has_ended]:
            self.close(conversation)

    def end_all_peers(self):
        """The other side has said `end` with id 0. The conversations that are over by that."""
        self.plain.peer_has_ended = True
        over = [each for each in self.open.values() if each.id and not each.peer_has_ended]
        for conversation in over:
            conversation.untaken += 1
            self.close(conversation)
        return over

    def close(self, conversation):
        """The conversation is over, and what its directions still hold is dropped."""
        del self.open[conversation.id]
        conversation.is_over = True
        if self.begun.pop(conversation.id, None):
            conversation.begun.drop()
        for outgoing in conversation.queue:
            outgoing.is_dropped = True
        conversation.queue.clear()
        self._release(conversation)

    # What the other side is allowed

    def take(self, conversation, cost):
        """A message, or an end, has been taken by whoever receives."""
        conversation.taken += cost
        conversation.untaken -= 1
        self._release(conversation)

    def _release(self, conversation):
        # Once everything has been taken, the program knows that it is over.
        if conversation.is_over and not conversation.untaken and not self.is_own(conversation.id):
            self._released += 1

    def grant(self, conversation, begun=0):
        """Raises the limit of an id, if that is worth a frame."""
        limit = conversation.taken + begun + self._window
        if conversation.is_over or conversation.peer_has_ended or limit - conversation.granted < self._window // 2:
            return False
        conversation.granted = limit
        return True

    def grant_ids(self):
        """Raises the highest id that the other side may open, if it has no more left than this gives."""
        left = (self.peers_limit - self.last_peers) // 2
        if not self._released or self._released < left or self.plain.peer_has_ended:
            return False
        self.peers_limit += 2 * self._released
        self._released = 0
        return True


# Reading, sections 2 to 7.


class Frame:
    """A control frame, or a message with its fragments put together."""

    def __init__(self, kind, conversation, descriptors=0, claimed=None):
        self.kind, self.conversation, self.id = kind, conversation, conversation.id
        self.descriptors, self.claimed = descriptors, claimed
        self.body = bytearray()
        self.cost = 0
        self.is_open = False
        self.description = None
        self.hello = None
        # The conversations that are over by an `end` of id 0.
        self.over = ()

    def drop(self):
        if self.claimed:
            self.claimed.close()


class _Header:
    def __init__(self, kind, flags, descriptors, id, size):
        self.kind, self.flags, self.descriptors, self.id, self.size = kind, flags, descriptors, id, size
        self.is_data = kind in DATA


class Reader:
    """Bytes in, frames out. It knows no socket; `next` gives frames until it needs more bytes.

    `claim(offset, count)` is called for each message that announces descriptors, as soon as its header is known; the
    offset is where in the stream that header begins. What it returns becomes the frame's `claimed`, and can be closed.
    """

    def __init__(self, conversations, limit=DEFAULT_LIMIT, claim=None):
        self.limit = limit
        self.next_header = 0
        self._conversations = conversations
        self._claim = claim or (lambda offset, count: None)
        self._buffer = bytearray()
        # The header of the frame that is coming, and its conversation: None if the frame is late.
        self._header, self._conversation = None, None
        self._has_hello = False
        self._has_aborted = False

    def feed(self, data):
        self._buffer += data

    def next(self):
        """The next frame, or None if more bytes are needed."""
        while not self._has_aborted and (self._header or self._read_header()):
            header, conversation = self._header, self._conversation
            if len(self._buffer) < header.size:
                return None
            self._header = None
            body = bytes(self._buffer[: header.size])
            del self._buffer[: header.size]
            # The conversation may be over since its header has come.
            is_late = not conversation or conversation.is_over
            if header.kind == CREDIT:
                self._conversations.learn_credit(conversation, *TWO_NUMBERS.unpack(body))
            if not is_late:
                frame = self._finish_data(header, body) if header.is_data else self._finish_control(header, body)
                if frame:
                    return frame
        return None

    def end(self):
        """The stream has ended."""
        if self._has_aborted or self._conversations.plain.peer_has_ended:
            return
        if self._buffer or self._header or self._conversations.begun:
            raise ProtocolError("truncated", "the stream ended inside a frame or a message")

    # With the header. The order of the checks is the specification's

    def _read_header(self):
        if len(self._buffer) < 4:
            return False
        size = int.from_bytes(self._buffer[:4], "big") - 12
        if size < 0:
            raise ProtocolError("lengthTooSmall", f"a frame has the length {size + 12}")
        if size > MOST_BODY:
            raise ProtocolError("frameTooLong", f"a frame has a body of {size} bytes")
        if len(self._buffer) < HEADER.size:
            return False
        _, kind, flags, descriptors, id = HEADER.unpack(self._buffer[: HEADER.size])
        header = _Header(kind, flags, descriptors, id, size)
        self._check(header)
        conversation = self._place(header)
        offset = self.next_header
        self.next_header += HEADER.size + size
        claimed = self._claim(offset, descriptors) if descriptors else None
        if header.is_data and conversation:
            self._begin(header, conversation, claimed)
        elif claimed:
            claimed.close()
        del self._buffer[: HEADER.size]
        self._header, self._conversation = header, conversation
        return True

    def _check(self, header):
        """What a header says by itself."""
        kind, flags, id = header.kind, header.flags, header.id
        if kind not in KINDS:
            raise ProtocolError("unknownKind", f"a frame has the unknown kind {kind}")
        if flags & ~(MORE | OPEN | META):
            raise ProtocolError("unknownFlags", f"a frame has the flags {flags}")
        if self._has_hello and kind == HELLO:
            raise ProtocolError("repeatedHello", "there is a second hello")
        if not self._has_hello and kind != HELLO:
            raise ProtocolError("noHello", "the first frame is not a hello")
        if flags and not header.is_data:
            raise ProtocolError("flagsNotAllowed", f"a control frame has the flags {flags}")
        if flags & OPEN and (id == 0 or flags & MORE or kind == FAILURE):
            raise ProtocolError("flagsNotAllowed", "OPEN on id 0, with MORE, or in a failure")
        if id and kind in (HELLO, ABORT, PING, PONG):
            raise ProtocolError("idNotAllowed", f"a frame of the kind {kind} has the id {id}")
        if not id and kind in (CANCEL, FAILURE):
            raise ProtocolError("idNotAllowed", f"a frame of the kind {kind} has the id 0")
        if header.size != SIZES.get(kind, header.size):
            raise ProtocolError("wrongLength", f"a frame of the kind {kind} has a body of {header.size} bytes")
        if flags & MORE and not header.size:
            raise ProtocolError("emptyFragment", "a fragment that others follow has no body")
        if header.descriptors > (MOST_DESCRIPTORS if kind in (MESSAGE, BYTES) else 0):
            raise ProtocolError("handlesDoNotMatch", f"a frame announces {header.descriptors} descriptors")

    def _place(self, header):
        """What a header says after what came before. The frame's conversation, or None if it is late."""
        conversation = self._find(header)
        if not conversation or not (header.is_data or header.kind == END):
            return conversation
        # A failure may stand after a last message, to end the other direction.
        has_ended = conversation.peer_has_ended and header.kind != FAILURE
        if has_ended or (header.is_data and self._conversations.plain.peer_has_ended):
            raise ProtocolError("afterEnd", f"data, or a second end, after the end of the id {header.id}")
        begun = conversation.begun
        if begun and begun.kind != header.kind:
            raise ProtocolError("interruptedMessage", f"a message of the id {header.id} has not ended")
        if begun and header.flags & META:
            raise ProtocolError("flagsNotAllowed", "a description in a frame that goes on with a message")
        if begun and header.descriptors:
            raise ProtocolError("handlesDoNotMatch", "descriptors with a frame that goes on with a message")
        if header.is_data and conversation.received >= conversation.granted:
            raise ProtocolError("overCredit", f"a frame of the id {header.id} begins at its limit, or above")
        if not header.flags & META:
            self._check_length(header.size + (len(begun.body) if begun else 0))
        return conversation

    def _find(self, header):
        conversations = self._conversations
        # The next one of the other side, and only that, may be opened, and only by data.
        if not header.is_data or header.id != conversations.last_peers + 2:
            return conversations.find(header.id)
        if header.id > conversations.peers_limit:
            raise ProtocolError("tooManyIds", f"{header.id} was opened, and only {conversations.peers_limit} allowed")
        if not header.flags & META or header.kind == FAILURE:
            raise ProtocolError("openedWithoutMeta", f"{header.id} was opened without a description, or by a failure")
        return conversations.add_peers()

    def _check_length(self, length):
        if length > self.limit:
            raise ProtocolError("messageTooLong", f"a message of more than {self.limit} bytes")

    def _begin(self, header, conversation, claimed):
        if not conversation.begun:
            conversation.begun = Frame(header.kind, conversation, header.descriptors, claimed)
            self._conversations.begun[header.id] = conversation
        cost = COST + header.size + DESCRIPTOR_COST * header.descriptors
        conversation.received += cost
        conversation.begun.cost += cost

    # With the body

    def _finish_data(self, header, body):
        conversation = self._conversation
        frame = conversation.begun
        if header.flags & META:
            length = int.from_bytes(body[:2], "big")
            if len(body) < 2 + length:
                raise ProtocolError("badMeta", "a description does not lie in its frame as a whole")
            frame.description = Description.decoded(body[2 : 2 + length])
            body = body[2 + length :]
            self._check_length(len(body))
        frame.body += body
        if header.flags & MORE:
            return None
        conversation.begun = None
        del self._conversations.begun[header.id]
        conversation.untaken += 1
        frame.is_open = bool(header.flags & OPEN)
        if header.kind == FAILURE:
            self._conversations.close(conversation)
        elif header.id and not frame.is_open:
            self._conversations.end_peers(conversation)
        return frame

    def _finish_control(self, header, body):
        conversation = self._conversation
        frame = Frame(header.kind, conversation)
        frame.body += body
        if header.kind == HELLO:
            frame.hello = Hello.decoded(body)
            self._has_hello = True
            self._conversations.learn(frame.hello)
        elif header.kind == ABORT:
            self._has_aborted = True
        elif header.kind == END and not header.id:
            frame.over = self._conversations.end_all_peers()
        elif header.kind in (END, CANCEL):
            conversation.untaken += 1
            if header.kind == CANCEL:
                self._conversations.close(conversation)
            else:
                self._conversations.end_peers(conversation)
        return frame


# Writing, sections 3 to 10.


class Outgoing:
    """A message, or the end of a conversation, that waits to be written."""

    def __init__(self, kind, body=b"", fds=(), description=b"", more=False):
        self.kind, self.body, self.fds = kind, memoryview(body).cast("B"), fds
        self.description, self.more = description, more
        self.is_written = self.is_dropped = False


def encode_frame(kind, body=b"", id=0, flags=0, descriptors=0):
    return HEADER.pack(12 + len(body), kind, flags, descriptors, id) + body


class Sender:
    """Messages in, frames out. It knows no socket; `next` gives frames until it needs messages or credit."""

    def __init__(self, conversations, hello):
        self._conversations = conversations
        self._hello, self._abort = encode_frame(HELLO, hello.encoded()), None
        self._control = deque()
        self._pong = None
        # The ids whose limits have been raised, in order.
        self._credits = {}
        # The conversations that have something to send. Each gives a frame, in turns.
        self._turns = deque()
        self.is_ending = self.has_ended = self.has_aborted = False

    def put(self, conversation, outgoing):
        if conversation not in self._turns:
            self._turns.append(conversation)
        conversation.queue.append(outgoing)
        if conversation.id and not outgoing.more:
            conversation.is_ending = True

    def keep_descriptors_back(self):
        """The other side takes none, so what waits with some is dropped."""
        queue = self._conversations.plain.queue
        for outgoing in [each for each in queue if each.fds]:
            outgoing.is_dropped = True
            queue.remove(outgoing)

    def cancel(self, conversation):
        self._control.append(encode_frame(CANCEL, id=conversation.id))
        self._conversations.close(conversation)

    def ping(self, number):
        self._control.append(encode_frame(PING, number))

    def pong(self, number):
        """Of several pings that wait, only the latest must be answered."""
        self._pong = encode_frame(PONG, bytes(number))

    def credit(self, conversation):
        """The limit of an id has been raised. What has not been written when it is raised again is merged."""
        self._credits[conversation.id] = conversation

    def finish(self):
        """Nothing is put any more, and the end follows what is there."""
        self.is_ending = True

    def abort(self, code, message):
        """Nothing is written any more but the reason, after a frame that has been begun."""
        self._abort = encode_frame(ABORT, encode_json({"code": code, "message": message}))

    def next(self):
        """The next frame that may be written, its descriptors, and the message that it is the last frame of."""
        if self.has_aborted:
            return None
        if self._hello:
            # Nothing goes before it, not even an abort.
            frame, self._hello = self._hello, None
            return frame, (), None
        if self._abort:
            self.has_aborted = True
            return self._abort, (), None
        frame = self._next_control()
        return (frame, (), None) if frame else self._next_data() or self._next_end()

    def _next_control(self):
        if self._pong:
            frame, self._pong = self._pong, None
            return frame
        if self._conversations.grant_ids():
            self.credit(self._conversations.plain)
        while self._credits:
            conversation = self._credits.pop(next(iter(self._credits)))
            if not conversation.is_over and not self._conversations.plain.peer_has_ended:
                numbers = TWO_NUMBERS.pack(conversation.granted, max(0, self._conversations.peers_limit))
                return encode_frame(CREDIT, numbers, conversation.id)
        return self._control.popleft() if self._control else None

    def _next_data(self):
        for _ in range(len(self._turns)):
            conversation = self._turns.popleft()
            if not conversation.queue:
                # What was there has been dropped.
                continue
            # What is no data needs no credit.
            if conversation.sent >= conversation.credit and conversation.queue[0].kind != END:
                self._turns.append(conversation)
                continue
            frame = self._cut(conversation, conversation.queue[0])
            if conversation.queue:
                self._turns.append(conversation)
            return frame
        return None

    def _cut(self, conversation, outgoing):
        """Takes the next frame off a message."""
        body, fds, flags = outgoing.body[:PIECE], outgoing.fds, 0
        outgoing.body, outgoing.fds = outgoing.body[PIECE:], ()
        is_last = not outgoing.body
        if not is_last:
            flags |= MORE
        elif outgoing.more:
            flags |= OPEN
        if outgoing.description:
            flags |= META
            description, outgoing.description = outgoing.description, b""
            body = struct.pack(">H", len(description)) + description + body
        if outgoing.kind != END:
            conversation.sent += COST + len(body) + DESCRIPTOR_COST * len(fds)
        if is_last:
            conversation.queue.popleft()
            if outgoing.kind == FAILURE:
                self._conversations.close(conversation)
            elif conversation.id and not outgoing.more:
                self._conversations.end_own(conversation)
        frame = encode_frame(outgoing.kind, bytes(body), conversation.id, flags, len(fds))
        return frame, fds, outgoing if is_last else None

    def _next_end(self):
        if not self.is_ending or self.has_ended or self._turns:
            return None
        self.has_ended = True
        self._conversations.end_all_own()
        return encode_frame(END), (), None


# Descriptors, section 11.


class _Arrived:
    """The descriptors that came with one `recvmsg`, and which bytes of the stream it returned."""

    def __init__(self, start, end, fds, is_incomplete):
        self.start, self.end, self.fds, self.is_incomplete = start, end, fds, is_incomplete

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


# The channel.


class Message:
    """What arrived: a `value`, or `bytes`, and the descriptors that came with it. Who receives closes them.

    `id` is the conversation that it belongs to, 0 if it is a plain message, and `more` says that the other side
    has more to say in it. `name`, `timeout` in milliseconds and `trace` are what the sender says of it, or None.
    """

    def __init__(self, value, data, fds, frame):
        self.value, self.bytes, self.fds, self.id, self.more = value, data, fds, frame.id, frame.is_open
        description = frame.description or Description()
        self.name, self.timeout, self.trace = description.name, description.timeout, description.trace


class Ended:
    """The end of a conversation, of which no message tells.

    `why` is `end` (the other side has no more to say), `failure` (with `code` and `message`, which are None if they
    can't be read), `cancel` (nobody waits for it any more) or `disconnected` (the other side has ended altogether).
    """

    value, bytes, name, more, fds = None, None, None, False, ()

    def __init__(self, id, why, code=None, message=None):
        self.id, self.why, self.code, self.message = id, why, code, message


class Channel:
    """One side of a channel over a connected Unix stream socket, which it owns."""

    def __init__(
        self, connection, limit=DEFAULT_LIMIT, window=DEFAULT_WINDOW, ids=DEFAULT_IDS, takes_handles=True,
        is_child=False,
    ):
        if not (FLOOR_LIMIT <= limit <= LARGEST and FLOOR_WINDOW <= window <= LARGEST and 0 <= ids <= LARGEST):
            raise ValueError("a hello announces no such limit, window or number of ids")
        connection.setblocking(False)
        self._socket = connection
        self._takes_handles = takes_handles
        self._conversations = Conversations(is_child, window, ids)
        self._reader = Reader(self._conversations, limit, self._claim)
        hello = Hello(limit, window, ids, ("handles",) if takes_handles else ())
        self._sender = Sender(self._conversations, hello)
        # Guards all that follows and all that is above.
        self._changed = threading.Condition()
        self.peer = None
        self._received, self._arrived = 0, deque()
        # Frames that nobody has taken, and how many threads wait for one.
        self._events, self._waiting = deque(), 0
        # What is left of a frame that the socket has not taken as a whole, and what came with it.
        self._writing = None
        self._ping, self._pings = None, 0
        self._can_send, self._is_closing, self._is_over, self._error = True, False, False, None
        self._waiter, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._thread = threading.Thread(target=self._run, name="swift_fork", daemon=True)
        with self._changed:
            self._write()
        self._thread.start()

    # Sending

    def send(self, value, fds=(), name=None):
        """Sends a value as JSON, and open descriptors with it; the sender's own copies stay open."""
        self._send(self._conversations.plain, Outgoing(MESSAGE, encode_json(value), fds, _described(name)))

    def send_bytes(self, data, fds=(), name=None):
        """Sends bytes as they are."""
        self._send(self._conversations.plain, Outgoing(BYTES, data, fds, _described(name)))

    def open(self, value, name=None, more=False, fds=(), timeout=None, trace=None):
        """Opens a conversation with a value, or with bytes, and returns its id. `more` says that more follows."""
        description = Description(name, timeout, trace).encoded()
        with self._changed:
            self._wait(lambda: self.peer)
            if not self._conversations.own_limit > 0:
                raise Refused("tooManyIds", "the other side takes no conversations")
            outgoing = _outgoing(value, fds, description, more)
            self._check(outgoing)
            plain = self._conversations.plain
            self._wait(lambda: self._conversations.may_open() or plain.peer_has_ended or self._sender.is_ending)
            if plain.peer_has_ended or self._sender.is_ending:
                raise Disconnected("one side has ended its direction")
            conversation = self._conversations.add_own()
            self._send(conversation, outgoing)
            return conversation.id

    def reply(self, id, value, more=False, fds=()):
        """Sends a value, or bytes, in a conversation. False if the conversation is over and nobody waits for it."""
        return self._say(id, _outgoing(value, fds, b"", more))

    def end(self, id):
        """Ends this side of a conversation whose last message said that there would be more."""
        return self._say(id, Outgoing(END))

    def fail(self, id, code, message):
        """Ends a conversation with a reason, in place of what this side still has to say in it."""
        return self._say(id, Outgoing(FAILURE, encode_json({"code": code, "message": message})))

    def cancel(self, id):
        """Gives a conversation up. If it is over, this does nothing."""
        with self._changed:
            conversation = self._find(id)
            if conversation:
                self._sender.cancel(conversation)
                self._write()

    def ping(self, timeout=None):
        """How many seconds the other side takes to answer."""
        with self._changed:
            # There is one at a time.
            self._wait(lambda: self._ping is None, timeout)
            self._pings += 1
            number = self._ping = NUMBER.pack(self._pings)
            start = time.monotonic()
            self._sender.ping(number)
            self._write()
            self._wait(lambda: self._ping != number, timeout)
            return time.monotonic() - start

    def disconnect(self):
        """Ends this direction. All that was sent arrives, and what the other side still sends can be received."""
        with self._changed:
            self._sender.finish()
            self._write()
            with contextlib.suppress(Disconnected):
                self._wait(lambda: self._sender.has_ended and not self._writing)

    def close(self):
        """Ends both directions at once. What is on its way here is lost."""
        with self._changed:
            self._sender.finish()
            self._write()
            self._is_closing = True
            self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self._changed:
            for event in self._events:
                if isinstance(event, Frame):
                    event.drop()
            self._events.clear()
            self._error = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _find(self, id):
        """The conversation, or None if it is over."""
        if not id:
            raise Refused("idNotAllowed", "id 0 is no conversation")
        try:
            return self._conversations.find(id)
        except ProtocolError as error:
            raise Refused(error.name, "there was no such conversation") from None

    def _say(self, id, outgoing):
        with self._changed:
            conversation = self._find(id)
            if not conversation:
                return False
            if conversation.is_ending and outgoing.kind != FAILURE:
                raise Refused("afterEnd", "this side has said its last in the conversation")
            self._send(conversation, outgoing)
            return outgoing.is_written

    def _send(self, conversation, outgoing):
        """Waits until the kernel has the message, or nobody wants it any more."""
        with self._changed:
            self._check(outgoing)
            self._sender.put(conversation, outgoing)
            self._write()
            self._wait(lambda: outgoing.is_written or outgoing.is_dropped)
            if outgoing.is_dropped and not conversation.id:
                raise Refused("handlesNotTaken", "the other side takes no descriptors")

    def _check(self, outgoing):
        """Refuses what the other side does not take; what may be longer than it takes waits for its hello."""
        if len(outgoing.description) > MOST_DESCRIPTION:
            raise Refused("badMeta", f"a description has at most {MOST_DESCRIPTION} bytes")
        if len(outgoing.fds) > MOST_DESCRIPTORS:
            raise Refused("handlesDoNotMatch", f"a message takes at most {MOST_DESCRIPTORS} descriptors")
        for fd in outgoing.fds:
            # Raises if it is not open.
            fcntl.fcntl(fd, fcntl.F_GETFD)
        length = len(outgoing.body)
        self._wait(lambda: self.peer or length <= FLOOR_LIMIT)
        if self.peer and length > self.peer.limit:
            raise Refused("messageTooLong", f"{length} bytes, and the other side reads {self.peer.limit} at most")
        if self.peer and outgoing.fds and "handles" not in self.peer.features:
            raise Refused("handlesNotTaken", "the other side takes no descriptors")
        if self._sender.is_ending:
            raise Disconnected("this side has ended its direction")

    def _wait(self, condition, timeout=None):
        if not self._changed.wait_for(lambda: condition() or not self._can_send, timeout):
            raise TimeoutError
        if not condition():
            raise Disconnected("the other side has closed the channel, or this one has")

    # Receiving

    def __iter__(self):
        return self

    def __next__(self):
        message = self.receive()
        if message is None:
            raise StopIteration
        return message

    def receive(self, timeout=None):
        """The next `Message`, or an `Ended`, or None when the other side has ended. This side may send on.

        Raises `MessageLost` if one message can't be had, and the next call gives the one after it; `ProtocolError` or
        `Aborted` if the channel has ended by a mistake; `TimeoutError` if nothing comes in so many seconds.
        """
        with self._changed:
            self._waiting += 1
            try:
                self._grant_begun()
                if not self._changed.wait_for(lambda: self._events or self._has_come_to_its_end(), timeout):
                    raise TimeoutError
            finally:
                self._waiting -= 1
            if not self._events:
                return self._report_end()
            event = self._events.popleft()
            if isinstance(event, Ended):
                return event
            self._take(event)
        return self._opened(event)

    def _has_come_to_its_end(self):
        return self._is_over or self._conversations.plain.peer_has_ended

    def _report_end(self):
        """An error is reported once."""
        error, self._error = self._error, None
        if error:
            raise error
        return None

    def _take(self, frame):
        self._conversations.take(frame.conversation, frame.cost)
        if self._conversations.grant(frame.conversation):
            self._sender.credit(frame.conversation)
        self._write()

    def _grant_begun(self):
        """If somebody waits and no message is whole, the oldest of those that have begun gets what it needs."""
        if self._waiting and not self._events and self._conversations.begun:
            conversation = next(iter(self._conversations.begun.values()))
            if self._conversations.grant(conversation, conversation.begun.cost):
                self._sender.credit(conversation)
                self._write()

    def _opened(self, frame):
        if frame.kind == FAILURE:
            return Ended(frame.id, "failure", *(reason_of(frame.body) or ()))
        if frame.kind in (END, CANCEL):
            return Ended(frame.id, "end" if frame.kind == END else "cancel")
        try:
            return self._message(frame)
        except MessageLost as error:
            frame.drop()
            error.id = frame.id
            self._give_up(frame.conversation, error)
            raise

    def _message(self, frame):
        fds = frame.claimed.fds if frame.claimed else []
        if frame.descriptors and not self._takes_handles:
            raise MessageLost("handlesNotTaken", "a message came with descriptors, which this side does not take")
        if len(fds) != frame.descriptors:
            raise MessageLost("handlesLost", "there was no room for the descriptors of a message")
        if frame.kind == BYTES:
            return Message(None, bytes(frame.body), fds, frame)
        try:
            return Message(decode_json(frame.body), None, fds, frame)
        except JSONError as error:
            raise MessageLost(error.name, f"a message is not JSON as it has to be: {error}") from None

    def _give_up(self, conversation, error):
        """A message of a conversation is lost: whoever was asked says so, and whoever asked does not wait."""
        with self._changed:
            if not conversation.id or conversation.is_over or self._sender.is_ending:
                return
            if self._conversations.is_own(conversation.id):
                self._sender.cancel(conversation)
            else:
                reason = encode_json({"code": error.name, "message": str(error)})
                self._sender.put(conversation, Outgoing(FAILURE, reason))
            self._write()

    # What is done under the lock, by whoever holds it

    def _write(self):
        """Writes what the socket takes without waiting. The thread writes the rest."""
        while self._can_send:
            self._writing = self._writing or self._next_to_write()
            if not self._writing:
                break
            data, fds, outgoing = self._writing
            # With the first byte go all descriptors; what is sent after it goes without.
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                count = self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            except (BrokenPipeError, ConnectionResetError):
                # What the other side had sent before it closed can still be read.
                self._can_send = False
                break
            self._writing = (data[count:], (), outgoing) if count < len(data) else None
            if outgoing and not self._writing:
                outgoing.is_written = True
        self._changed.notify_all()
        if self._writing or self._both_have_ended():
            self._wake()

    def _both_have_ended(self):
        return self._conversations.plain.peer_has_ended and self._sender.has_ended

    def _next_to_write(self):
        frame = self._sender.next()
        return frame and (memoryview(frame[0]), *frame[1:])

    def _wake(self):
        """Has the thread look again at what there is to do."""
        if not self._is_over and threading.current_thread() is not self._thread:
            with contextlib.suppress(BlockingIOError):
                os.write(self._waker, b"\0")

    # The thread

    def _run(self):
        try:
            while self._exchange():
                pass
        except Exception as error:
            self._error = error
        with self._changed:
            self._is_over, self._can_send = True, False
            self._socket.close()
            os.close(self._waiter)
            os.close(self._waker)
            for arrived in self._arrived:
                arrived.close()
            self._changed.notify_all()

    def _exchange(self):
        """Waits until there is something to read or room for what is to be written. False when all is over."""
        with self._changed:
            if self._is_closing or (self._both_have_ended() and not self._writing):
                return False
            wants_room = self._writing and self._can_send
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if wants_room else 0))
        poll.register(self._waiter, select.POLLIN)
        ready = dict(poll.poll())
        if self._waiter in ready:
            os.read(self._waiter, 4096)
        events = ready.get(self._socket.fileno(), 0)
        with self._changed:
            if events & select.POLLOUT:
                self._write()
            return self._read() if events & ~select.POLLOUT else True

    def _read(self):
        """Takes what the socket has. False when nothing is read any more."""
        try:
            try:
                data = self._receive_bytes()
            except BlockingIOError:
                return True
            except ConnectionResetError:
                # The other side closed without reading all. This comes after its last byte.
                data = b""
            if not data:
                self._reader.end()
                return False
            self._reader.feed(data)
            while frame := self._next_frame():
                if not self._handle(frame):
                    return False
        except ProtocolError as error:
            self._give_the_channel_up(error)
            return False
        self._grant_begun()
        self._write()
        return True

    def _receive_bytes(self):
        if not self._takes_handles:
            # Without a control buffer the kernel closes what comes.
            data, fds, is_incomplete = self._socket.recv(READ_SIZE), [], False
        else:
            data, fds, is_incomplete = self._receive_with_descriptors()
        start = self._received
        self._received += len(data)
        if fds or is_incomplete:
            self._arrived.append(_Arrived(start, self._received, fds, is_incomplete))
        return data

    def _receive_with_descriptors(self):
        fds = array.array("i")
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * fds.itemsize)
        data, control, flags, _ = self._socket.recvmsg(READ_SIZE, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) // fds.itemsize * fds.itemsize])
        return data, list(fds), bool(flags & socket.MSG_CTRUNC)

    def _next_frame(self):
        frame = self._reader.next()
        # Descriptors for which no header can come any more.
        if self._arrived and self._arrived[0].end <= self._reader.next_header:
            if frame:
                frame.drop()
            raise ProtocolError("handlesDoNotMatch", "descriptors came that no message announced")
        return frame

    def _claim(self, offset, count):
        """The descriptors of the message whose header begins at the offset."""
        if not self._takes_handles:
            return None
        # One `recvmsg` brings those of one message at most: the one that announces some and begins in those bytes.
        if not self._arrived or not self._arrived[0].start <= offset < self._arrived[0].end:
            raise ProtocolError("handlesDoNotMatch", f"{count} descriptors were announced, and others or none came")
        arrived = self._arrived[0]
        if len(arrived.fds) != count and not arrived.is_incomplete:
            raise ProtocolError(
                "handlesDoNotMatch", f"{count} descriptors were announced, and {len(arrived.fds)} came")
        return self._arrived.popleft()

    def _handle(self, frame):
        """False if nothing is read after it."""
        if frame.kind == HELLO:
            self.peer = frame.hello
            if "handles" not in self.peer.features:
                self._sender.keep_descriptors_back()
        elif frame.kind == ABORT:
            code, message = reason_of(frame.body) or (None, "the other side gave no reason")
            self._error = Aborted(code, message)
            return False
        elif frame.kind == PING:
            self._sender.pong(frame.body)
        elif frame.kind == PONG:
            self._ping = None if frame.body == self._ping else self._ping
        elif frame.kind == END and not frame.id:
            self._events.extend(Ended(conversation.id, "disconnected") for conversation in frame.over)
        elif frame.kind != CREDIT:
            self._events.append(frame)
        return True

    def _give_the_channel_up(self, error):
        """Says why, and waits a little while for the socket to take that."""
        self._error = error
        if error.name == "truncated":
            return
        self._sender.abort("protocolViolation", str(error))
        deadline = time.monotonic() + ABORT_SECONDS
        self._write()
        while self._writing and self._can_send and time.monotonic() < deadline:
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            poll.poll(1000 * (deadline - time.monotonic()))
            self._write()


def _outgoing(value, fds, description, more):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Outgoing(BYTES, value, fds, description, more)
    return Outgoing(MESSAGE, encode_json(value), fds, description, more)


def _described(name):
    return b"" if name is None else Description(name).encoded()


# Parent and child, section 1.


def connect(limit=None, **options):
    """The channel to the parent that has started this program, or None if no parent gave it one."""
    number = os.environ.pop(VARIABLE, "")
    # Leading zeros mean nothing.
    wanted = re.fullmatch("0*([0-9]{1,16})", os.environ.pop(LIMIT_VARIABLE, ""))
    if wanted and FLOOR_LIMIT <= int(wanted[1]) <= LARGEST:
        limit = min(int(wanted[1]), limit or LARGEST)
    if not re.fullmatch("[0-9]{1,9}", number):
        return None
    try:
        connection = socket.socket(fileno=int(number))
    except OSError:
        return None
    if (connection.family, connection.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
        # It belongs to somebody else.
        connection.detach()
        return None
    connection = _away_from_standard_streams(connection)
    connection.set_inheritable(False)
    return Channel(connection, limit or DEFAULT_LIMIT, is_child=True, **options)


def _away_from_standard_streams(connection):
    """Gives the channel another number if it has that of a standard stream: the program might print into it."""
    number = connection.fileno()
    if number > 2:
        return connection
    other = socket.socket(fileno=fcntl.fcntl(connection.detach(), fcntl.F_DUPFD_CLOEXEC, 3))
    with open(os.devnull, "r+b", buffering=0) as nothing:
        os.dup2(nothing.fileno(), number)
    return other


class Child:
    """A program that this one has started: its `channel` and its `process`."""

    def __init__(self, channel, process):
        self.channel, self.process = channel, process

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.channel.close()
        self.process.__exit__(*exception)


def fork(path, args=(), limit=None, window=DEFAULT_WINDOW, ids=DEFAULT_IDS, takes_handles=True, env=None, **options):
    """Starts a program with a channel. A `limit` is for both sides; other options are those of `subprocess.Popen`."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = Channel(own, limit or DEFAULT_LIMIT, window, ids, takes_handles)
    with other:
        variables = {**(os.environ if env is None else env), VARIABLE: str(other.fileno())}
        variables.pop(LIMIT_VARIABLE, None)
        if limit:
            variables[LIMIT_VARIABLE] = str(limit)
        try:
            process = subprocess.Popen([path, *args], env=variables, pass_fds=[other.fileno()], **options)
        except BaseException:
            channel.close()
            raise
    return Child(channel, process)
