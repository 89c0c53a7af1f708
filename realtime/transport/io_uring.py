"""The same bytes to many sockets with one system call: Linux' io_uring, for sending and nothing else.

A loop around `send` enters the kernel for each socket, and the kernel evicts Python's next socket from the processor's cache each time.
io_uring takes a prepared list of the sockets and works through it inside the kernel. What that saves stands in docs/performance.md.

This module makes the two system calls and fills the structures of <linux/io_uring.h> by itself, because no well-kept package does. The
kernel completes or refuses every request before the call returns, since none may wait (MSG_DONTWAIT). So no request is ever pending.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from array import array

# Since Linux 5.1, new system calls have the same number on every architecture.
_SETUP, _ENTER = 425, 426
_SUBMIT_ALL, _SINGLE_ISSUER, _DEFER_TASKRUN = 1 << 7, 1 << 12, 1 << 13  # the last came with Linux 6.1
_SINGLE_MMAP = 1 << 0
_SQES_AT = 0x10000000
_GETEVENTS = 1 << 0
_SEND = 26
_FLAGS = 0x40 | 0x4000  # MSG_DONTWAIT | MSG_NOSIGNAL
# opcode, flags, ioprio, fd, offset, address, length, message flags, user data; the rest is zero
_REQUEST = struct.Struct("=BBHiQQIIQ24x")
_LENGTH_AT, _RESULT_AT = 24 // 4, 8 // 4  # in 32-bit words of a request, of an answer
_REQUEST_WORDS, _ANSWER_WORDS = _REQUEST.size // 4, 16 // 4

MANY = 1024  # requests in one call; more sockets take more calls
TRIES = 100  # calls for one list of requests, of which signals may interrupt some
MOST_BYTES = 128 * 1024


class Unavailable(Exception):
    """The kernel has no io_uring, or this process may not use it; the message says why."""


class IoUring:
    """A process has one. Only the thread that made it may use it. Raises `Unavailable`."""

    def __init__(self):
        if not sys.platform.startswith("linux") or sys.byteorder != "little" or sys.maxsize < 2**32:
            raise Unavailable("it needs Linux on a 64-bit processor")
        self._enter = _system_call(
            _ENTER, ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long
        )
        parameters = bytearray(120)
        struct.pack_into("=I", parameters, 8, _SUBMIT_ALL | _SINGLE_ISSUER | _DEFER_TASKRUN)
        setup = _system_call(_SETUP, ctypes.c_long, ctypes.c_void_p)
        try:
            self._fd = setup(MANY, ctypes.addressof((ctypes.c_char * len(parameters)).from_buffer(parameters)))
        except OSError as error:
            raise Unavailable(f"the kernel says: {error.strerror}") from None
        try:
            self._map(parameters)
        except (OSError, ValueError) as error:
            os.close(self._fd)
            raise Unavailable(f"its memory cannot be had: {error}") from None
        data = (ctypes.c_char * MOST_BYTES)()  # the bytes that all requests send
        self._address, self._data = ctypes.addressof(data), memoryview(data).cast("B")
        try:
            self._try()
        except (OSError, Unavailable):
            self.close()
            raise Unavailable("it does not send") from None

    def _map(self, parameters):
        entries, answers = struct.unpack_from("=II", parameters)
        (features,) = struct.unpack_from("=I", parameters, 20)
        _, tail_at, mask_at, _, _, _, places_at = struct.unpack_from("=7I", parameters, 40)
        head_at, answered_at, answer_mask_at, _, _, answers_at = struct.unpack_from("=6I", parameters, 80)
        if not features & _SINGLE_MMAP:
            raise OSError(errno.ENOSYS, "it is too old")
        self._rings = self._mapped(max(places_at + 4 * entries, answers_at + 16 * answers), 0)
        self._requests = self._mapped(64 * entries, _SQES_AT)
        words = self._words = self._rings.cast("I")
        self._tail, self._head, self._answered = tail_at // 4, head_at // 4, answered_at // 4
        self._mask, self._answer_mask = words[mask_at // 4], words[answer_mask_at // 4]
        self._answers = self._rings[answers_at : answers_at + 16 * answers].cast("i")
        words[places_at // 4 : places_at // 4 + entries] = memoryview(array("I", range(entries)))

    def _try(self):
        """Send something: a sandbox may allow the call and refuse the requests in it."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.setblocking(False)
            if self.send(self.requests([ours.fileno()]), b"hello") or theirs.recv(16) != b"hello":
                raise Unavailable

    def _mapped(self, size, offset):
        return memoryview(
            mmap.mmap(self._fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)
        )

    def requests(self, numbers: list[int]) -> list[bytearray]:
        """Requests to send to these file descriptors, any number of times. The caller makes sure that they are still the same sockets."""
        return [
            bytearray().join(
                _REQUEST.pack(_SEND, 0, 0, number, 0, self._address, 0, _FLAGS, place)
                for place, number in enumerate(numbers[start : start + MANY])
            )
            for start in range(0, len(numbers), MANY)
        ]

    def send(self, requests: list[bytearray], data: bytes) -> list[tuple[int, int]]:
        """Send `data`, at most `MOST_BYTES`, to all of them.

        Answers `(place, result)` for each socket that did not take all of it: how many bytes it took, or a negative errno. Raises `OSError`
        where the kernel refuses the call itself. Then it is unknown which sockets got the bytes, and this object must not be used again.
        """
        self._data[: len(data)] = data
        failed, before = [], 0
        for some in requests:
            count = len(some) // _REQUEST.size
            self._ask(some, count, len(data))
            if self._results(count) != array("i", [len(data)]) * count:
                failed += [(before + place, result) for place, result in self._answers_of(count) if result != len(data)]
            self._words[self._head] = (self._words[self._head] + count) & 0xFFFFFFFF  # they have been read
            before += count
        return failed

    def _ask(self, requests, count, length):
        requests = memoryview(requests)
        requests.cast("I")[_LENGTH_AT::_REQUEST_WORDS] = memoryview(array("I", [length]) * count)
        words = self._words
        tail = words[self._tail]
        start = (tail & self._mask) * _REQUEST.size
        until_end = min(len(requests), len(self._requests) - start)
        self._requests[start : start + until_end] = requests[:until_end]
        self._requests[: len(requests) - until_end] = requests[until_end:]
        words[self._tail] = (tail + count) & 0xFFFFFFFF
        # One call completes all requests, unless a signal or a lack of memory interrupts it.
        left = count
        for _ in range(TRIES):
            try:
                left -= self._enter(self._fd, left, count, _GETEVENTS, None, 0)
            except OSError as error:
                if error.errno not in (errno.EINTR, errno.EAGAIN):
                    raise
            if not left and (words[self._answered] - words[self._head]) & 0xFFFFFFFF == count:
                return
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _results(self, count) -> array:
        """The results of the newest requests, in the order in which the kernel completed them."""
        words, start = self._answers, self._words[self._head] & self._answer_mask
        until_end = min(count, self._answer_mask + 1 - start)
        found = array(
            "i",
            words[_ANSWER_WORDS * start + _RESULT_AT : _ANSWER_WORDS * (start + until_end) : _ANSWER_WORDS].tobytes(),
        )
        if until_end < count:
            found.frombytes(words[_RESULT_AT : _ANSWER_WORDS * (count - until_end) : _ANSWER_WORDS].tobytes())
        return found

    def _answers_of(self, count):
        """`(place, result)` of each of the newest requests."""
        head = self._words[self._head]
        for number in range(count):
            at = _ANSWER_WORDS * ((head + number) & self._answer_mask)
            yield self._answers[at], self._answers[at + _RESULT_AT]

    def close(self):
        """Give its memory back to the kernel."""
        os.close(self._fd)


def _system_call(number, *types):
    call = ctypes.CDLL(None, use_errno=True)["syscall"]
    call.argtypes, call.restype = (ctypes.c_long, *types), ctypes.c_long

    def enter(*arguments):
        result = call(number, *arguments)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    return enter
