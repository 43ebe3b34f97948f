#!/usr/bin/env python3
"""Writes the seeds of the fuzzer's corpus. They are built by code because most of them are binary.

    Tests/Fuzz/seeds.py

Each file is named for the case that it shows. Inputs found by libFuzzer are in the same folders, named by hash.
"""
import base64
import json
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).parent / "Corpus"
KEY = b"\x37\xfa\x21\x3d"


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, key=KEY, announce=None):
    """A client's frame (RFC 6455, section 5.2)."""
    length = len(payload) if announce is None else announce
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mask = 0x80 if masked else 0
    if length <= 125:
        head += bytes([mask | length])
    elif length <= 0xFFFF:
        head += bytes([mask | 126]) + struct.pack(">H", length)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def deflated(payload, level=6, bits=15):
    """A message of permessage-deflate (RFC 7692, section 7.2.1)."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def request(target, *fields, method="GET", version="HTTP/1.1"):
    return "\r\n".join([f"{method} {target} {version}", *fields]) + "\r\n\r\n"


def request_heads():
    handshake = [
        "Host: chat.example.com", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    heads = {
        "handshake": request("/ws", *handshake),
        "browser": request(
            "/ws?x=1", *handshake, "Origin: http://chat.example.com",
            "Sec-WebSocket-Protocol: gohub.v1, gohub.bearer.eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        "listed-origin": request("/ws", *handshake, "Origin: https://a.example.com:443"),
        "bearer": request("/ws", *handshake, "Authorization: Bearer abc.def.ghi"),
        "extensions": request(
            "/ws", *handshake, 'Sec-WebSocket-Extensions: x; a="b\\c", permessage-deflate; '
            'server_max_window_bits=15; client_max_window_bits="10", permessage-deflate'),
        "window-9": request(
            "/ws", *handshake, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; "
            "server_no_context_takeover; client_no_context_takeover"),
        "two-keys": request("/ws", *handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        "version-8": request("/ws", *handshake[:3], "Sec-WebSocket-Version: 8"),
        "plain": request("/v1/info", "Host: [::1]:8080", "Accept: */*"),
        "post": request("/v1/rooms", "Host: a", "Content-Length: 2", method="POST") + "{}",
        "chunked": request("/v1/rooms", "Host: a", "Transfer-Encoding: chunked", method="POST") + "0\r\n\r\n",
        "smuggled": request("/", "Host: a", "Content-Length: 4", "Transfer-Encoding: chunked", method="POST"),
        "absolute": request("http://A.example?q=1", "Host: a.example"),
        "options": request("*", "Host: a", method="OPTIONS"),
        "http10": request("/", version="HTTP/1.0"),
        "http2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01",
        "folded": request("/", "Host: a", "X: 1\r\n 2"),
        "forwarded": request(
            "/", "Host: a", "X-Forwarded-For: 203.0.113.9, ::ffff:10.0.0.1 , 2001:db8::7", "X-Forwarded-Proto: https"),
        "not-utf8": request("/", "Host: a").encode()[:-2] + b"X: \xff\xe4\r\n\r\n",
        "bare-lf": "GET / HTTP/1.1\nHost: a\n\n",
        "empty-line-first": "\r\n" + request("/", "Host: a"),
    }
    cuts = [0, 1, 7, 130, 200]
    return {
        name: bytes([cuts[index % 5]]) + (head if isinstance(head, bytes) else head.encode())
        for index, (name, head) in enumerate(heads.items())
    }


def chunked_bodies():
    bodies = {
        "empty": "0\r\n\r\n", "one": "5\r\nhello\r\n0\r\n\r\n", "two": "5\r\nhello\r\nA;a=b\r\n0123456789\r\n000;x\r\n\r\n",
        "trailers": "1\r\nx\r\n0\r\nX: y\r\nZ:\r\n\r\n", "behind": "0\r\n\r\nGET / HTTP/1.1\r\n", "blank": "5 \r\nhello\r\n",
        "bare": "5\nhello\n0\n\n", "huge": "fffffffffffffff\r\nx", "cut": "5\r\nhel", "folded": "0\r\nX: y\r\n z\r\n\r\n",
    }
    return {name: bytes([[0, 3, 129][index % 3]]) + text.encode() for index, (name, text) in enumerate(bodies.items())}


def frames():
    streams = {
        "text": frame(1, b"Hello"),
        "binary-126": frame(2, bytes(range(126))),
        "binary-65536-announced": frame(2, b"abc", announce=65536),
        "huge": frame(2, announce=1 << 62),
        "highest-bit": frame(2, announce=1 << 63),
        "fragments": frame(1, b"a", fin=False) + frame(9, b"?") + frame(0, b"b", fin=False) + frame(0, b"c"),
        "control": frame(9, b"p" * 125) + frame(10) + frame(8, b"\x03\xe8done"),
        "long-ping": frame(9, announce=126),
        "unmasked": frame(1, b"a", masked=False),
        "reserved-opcode": frame(3, b"a"),
        "reserved-bits": frame(1, b"a", rsv=2),
        "zero-key": frame(1, b"zero", key=bytes(4)) + frame(2, b"\x00" * 40),
        "length-16-for-7": b"\x81\xfe\x00\x05" + KEY + b"Hello",
        "length-64-for-16": b"\x81\xff" + struct.pack(">Q", 300) + KEY,
        "compressed": frame(1, deflated(b"Hello"), rsv=4),
    }
    return {
        name: bytes([[0, 3, 140][index % 3], index % 10]) + stream
        for index, (name, stream) in enumerate(streams.items())
    }


def messages():
    half = len(deflated(b"Hello " * 20)) // 2
    packed = deflated(b"Hello " * 20)
    streams = {
        "text": (6, frame(1, "Grüße 🌍".encode()) + frame(2, b"\x00\xff")),
        "fragments": (6, frame(1, b"Gr\xc3", fin=False) + frame(9, b"!") + frame(0, b"\xbc\xc3\x9fe")),
        "cut-character": (6, frame(1, b"\xe2\x82")),
        "not-utf8": (6, frame(1, b"\xed\xa0\x80")),
        "five-fragments": (4, b"".join(frame(2 if n == 0 else 0, b"", fin=n == 4) for n in range(5))),
        "too-big": (2, frame(2, b"x" * 101)),
        "too-big-in-two": (2, frame(2, b"x" * 60, fin=False) + frame(0, b"x" * 60)),
        "continuation-alone": (6, frame(0, b"a")),
        "message-inside": (6, frame(1, b"a", fin=False) + frame(1, b"b")),
        "close": (6, frame(8, b"\x03\xe8" + "tschüß".encode()) + frame(1, b"late")),
        "close-empty": (6, frame(8)),
        "close-1": (6, frame(8, b"\x03")),
        "close-1005": (6, frame(8, b"\x03\xed")),
        "compressed": (7, frame(1, packed, rsv=4) + frame(1, b"plain")),
        "compressed-in-two": (7, frame(1, packed[:half], fin=False, rsv=4) + frame(0, packed[half:])),
        "compressed-cut": (7, frame(2, packed[:half], rsv=4)),
        "bomb": (3, frame(2, deflated(bytes(100_000)), rsv=4)),
        "compressed-empty": (7, frame(1, b"\x00", rsv=4)),
        "final-stream": (7, frame(1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=4)),
        "over-the-wire-bound": (1, frame(2, b"\xff" * 66, rsv=4)),
    }
    return {
        name: bytes([[0, 2, 150][index % 3], options]) + stream
        for index, (name, (options, stream)) in enumerate(streams.items())
    }


def deflate():
    text = ("the quick brown fox " * 30).encode()
    return {
        "text": b"\x01\x04\x06" + text,
        "zeros": b"\x00\x05\x90" + bytes(3000),
        "compressed": b"\x01\x04\x06" + deflated(text),
        "compressed-window-9": b"\x00\x04\x00" + deflated(bytes(range(256)) * 4, bits=9),
        "stored": b"\x01\x01\x00\x00\x05\x00\xfa\xffHello\x00",
        "final": b"\x01\x01\x00\xf3\x48\xcd\xc9\xc9\x07\x00",
        "streams": b"\x00\x04\x00" + b"\x03\x00" * 40,
        "bomb": b"\x00\x04\x00" + deflated(bytes(2_000_000), level=9),
        "exact-chunk": b"\x00\x02\x00" + deflated(b"a" * 16384),
        "reserved-block": b"\x00\x04\x00\xff\xff",
        "far-distance": b"\x00\x04\x00\xf2\x00\x11\x00\x00",
    }


def commands():
    return {
        "hello": '{"op":"hello","token":"a.b.c","device":"phone"}',
        "hello-user": '{"op":"hello","user":"alice"}',
        "join": '{"op":"join","id":"1","room":"lobby","since":{"epoch":"e","offset":18446744073709551615}}',
        "join-limit": ' {"op" : "join", "id":"2","room":"dm:a%3Ab:b","limit":50}\n',
        "join-many": '{"op":"join","rooms":[{"id":"1","room":"lobby","since":{"epoch":"e","offset":1}},'
        '{"room":"dm:a:b","id":"2","limit":50,"x":[]}]}',
        "join-many-and-one": '{"op":"join","id":"1","room":"lobby","rooms":[{"id":"1","room":"lobby"}]}',
        "send": '{"op":"send","id":"3","room":"lobby","text":"Gr\\u00fc\\u00dfe \\ud83c\\udf0d \\"\\\\\\/\\n","replyTo":7}',
        "send-to": '{"op":"send","id":"4","to":"bob","text":"hi","ephemeral":true}',
        "send-files": '{"op":"send","id":"3","room":"lobby","text":"","files":[{"id":"AAAAAAAAAAAAAAAAAAAAAA"},'
        '{"alt":"a \\ud83d\\udc08","id":"h1Qv0m3nT2S4k6d8f0a2cA","x":[{}]}]}',
        "send-file-twice": '{"op":"send","id":"3","to":"bob","text":"x","files":[{"id":"AAAAAAAAAAAAAAAAAAAAAA"},'
        '{"id":"AAAAAAAAAAAAAAAAAAAAAA"}]}',
        "typing": '{"op":"typing","room":"lobby","active":false}',
        "history": '{"op":"history","id":"5","room":"lobby","before":10,"limit":100}',
        "history-after": '{"op":"history","id":"5","room":"lobby","after":10}',
        "leave": '{"op":"leave","id":"6","room":"lobby"}',
        "who": '{"op":"who","id":"7","room":"lobby"}',
        "delivered": '{"op":"delivered","room":"lobby","offset":7}',
        "seen": '{"op":"seen","room":"dm:alice:bob","offset":18446744073709551615}',
        "rooms": '{"op":"rooms","id":"7","startAfter":"dm:alice:bob","limit":5}',
        "edit": '{"op":"edit","id":"9","room":"lobby","offset":7,"text":"new \\ud83c\\udf0d"}',
        "delete": '{"op":"delete","id":"9","room":"dm:alice:bob","offset":18446744073709551615}',
        "react": '{"op":"react","id":"9","room":"lobby","offset":7,"reaction":"\\ud83d\\udc4d"}',
        "react-remove": '{"op":"react","id":"9","room":"lobby","offset":7,"reaction":"+1","remove":true}',
        "react-control": '{"op":"react","id":"9","room":"lobby","offset":7,"reaction":"a\\u0007"}',
        "upload": '{"op":"upload","id":"u","room":"lobby","name":"../a.png","type":"image/png","size":18446744073709551615,'
        '"sha256":"' + "0aF" * 21 + '0"}',
        "cancel-upload": '{"op":"cancelUpload","id":"9","transfer":4294967295}',
        "pong": '{"op":"pong","x":[null,true,-0.5e+3,{"y":[]}]}',
        "refresh": '{"op":"refresh","id":"8","token":"t"}',
        "twice": '{"op":"pong","op":"pong"}',
        "deep": "[" * 17 + "]" * 17,
        "half-pair": '{"op":"\\ud800"}',
        "numbers": "[0,-0,1e400,1.5E-7,123456789012345678901234567890]",
        "canonical": '{"\u00e9":1,"e\u0301":2}',
        "nul": '{"op":"send","id":"1","to":"b","text":"\\u0000"}',
    }


def sessions():
    hello = '{"op":"hello","token":"t","device":"phone"}\n!verified\n!answer\n'
    join = '{"op":"join","id":"j","room":"lobby"}\n!answer\n'
    send = '{"op":"send","id":"s","room":"lobby","text":"hi"}\n'
    upload = '{"op":"upload","id":"u","room":"lobby","name":"a","size":5000}\n'
    lives = {
        "chat": (0, hello + join + send + "!answer\n" + '{"op":"leave","id":"l","room":"lobby"}\n!answer\n'),
        "development": (2, '{"op":"hello","user":"alice"}\n!welcome\n' + join + "!gone\n"),
        "at-the-handshake": (8, '{"op":"hello"}\n!answer\n' + join + "!kick\n"),
        "denied": (0, '{"op":"hello","token":"t"}\n!denied\n' + send),
        "refused": (8, '{"op":"hello"}\n!refuse\n'),
        "refused-join": (8, '{"op":"hello"}\n!answer\n{"op":"join","id":"j","room":"lobby"}\n!refuse\n'),
        "refresh": (0, hello + join + '{"op":"refresh","id":"r","token":"u"}\n!reduced\n!answer\n'),
        "refresh-while-joining": (
            0, hello + '{"op":"join","id":"j","room":"a"}\n{"op":"refresh","id":"r","token":"u"}\n!reduced\n!answer\n'),
        "join-many": (9, '{"op":"hello"}\n!answer\n{"op":"join","rooms":[{"id":"1","room":"a"},{"id":"2","room":"lobby"},'
            '{"id":"3","room":"a"}]}\n' + send * 3 + '!answer\n!backlog\n!answer\n!drained\n!answer\n!refuse\n'),
        "behind-a-join": (8, '{"op":"hello"}\n!answer\n{"op":"join","id":"j","room":"lobby"}\n' + send
            + '{"op":"leave","id":"l","room":"lobby"}\n' + join + send + "!answer\n" * 6),
        "stranger": (0, hello + '{"op":"refresh","id":"r","token":"u"}\n!stranger\n'),
        "slash": (8, '{"op":"hello"}\n!answer\n' + join + "".join(
            json.dumps({"op": "send", "id": str(n), "room": "lobby", "text": text}, separators=(",", ":")) + "\n"
            for n, text in enumerate([
                "/w bob hi", "/me waves", "/shrug", "/join other", "/leave", "/who", "/ban \"b o b\" 5", "/mute bob",
                "/kick bob", "/pardon bob", "/help", "//x", "/nothing"])) + "!answer\n" * 14),
        "small-limits": (9, '{"op":"hello"}\n!answer\n' + join + send * 4 + "!answer\n" * 4 + "x\nx\nx\n"),
        "flood": (12, '{"op":"hello"}\n!answer\n' + '{"op":"pong"}\n' * 230),
        "pings": (13, '{"op":"hello"}\n!answer\n' + "!control\n" * 12),
        "silence": (8, '{"op":"hello"}\n!answer\n!timer\n!timer\n'),
        "never-hello": (0, "!timer\n"),
        "expiry": (8, '{"op":"hello"}\n!answer\n!wait 1000000\n!timer\n'),
        "backlog": (8, '{"op":"hello"}\n!answer\n!backlog\n!timer\n!drained\n!backlog\n!overflow\n'),
        "binary": (8, '{"op":"hello"}\n!answer\n' + join + "!binary\n"),
        "transfer": (9, '{"op":"hello"}\n!answer\n' + join + upload + "!files\n!part 1 2500 2500\n!files\n!files\n"),
        "transfer-refused": (8, '{"op":"hello"}\n!answer\n' + join + upload * 2 + "!refuseFiles\n" + upload
                             + "!files\n!part 2 2500 2000\n!part 2 4500 1\n!refuseFiles\n!part 2 4501 9\n"),
        "transfer-cancelled": (8, '{"op":"hello"}\n!answer\n' + join + upload + "!files\n!part 1 2500 2000\n"
                               '{"op":"cancelUpload","id":"c","transfer":1}\n!part 1 4500 500\n!files\n!files\n'),
        "transfer-stands-still": (8, '{"op":"hello"}\n!answer\n' + join + upload + "!files\n!wait 20000\n!control\n"
                                  "!wait 20000\n!control\n!wait 20000\n!timer\n!part 1 2500 9\n"),
        "transfer-beyond-credit": (9, '{"op":"hello"}\n!answer\n' + join + upload + "!files\n!part 1 2500 8999\n!part 7 0 1\n"),
        "transfer-and-gone": (8, '{"op":"hello"}\n!answer\n' + join + upload + "!gone\n!files\n"),
        "no-files": (24, '{"op":"hello"}\n!answer\n' + join + upload + "!part 1 0 2000\n"),
        "direct": (8, '{"op":"hello"}\n!answer\n{"op":"join","id":"1","room":"dm:alice:bob"}\n!answer\n'
                   '{"op":"history","id":"2","room":"dm:alice:bob"}\n!answer\n{"op":"send","id":"3","to":"bob","text":"x"}\n'),
        "wishes": (8, '{"op":"hello"}\n!answer\n' + join + send
                   + '{"op":"edit","id":"1","room":"lobby","offset":1,"text":"x"}\n'
                   + '{"op":"react","id":"2","room":"dm:alice:bob","offset":1,"reaction":"+1"}\n'
                   + '{"op":"delete","id":"3","room":"elsewhere","offset":1}\n!answer\n!refuse\n'),
        "leave-while-joining": (8, '{"op":"hello"}\n!answer\n' + join + '{"op":"leave","id":"l","room":"lobby"}\n'
                                '{"op":"join","id":"k","room":"lobby"}\n!answer\n!answer\n'),
        "replaced": (8, '{"op":"hello"}\n!answer\n' + join + "!closed\n" + send),
    }
    return {name: bytes([options]) + lines.encode() for name, (options, lines) in lives.items()}


def tokens():
    later = 1767225600 + 3600
    full = {
        "sub": "alice", "name": " Alice ", "exp": later, "nbf": 1767225000.5, "iss": "issuer", "aud": ["hub", "x"],
        "tenant": "acme", "rooms": [{"match": "team-*", "can": ["read", "write"]}, {"match": "*", "can": ["moderate"]}],
    }

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    def claims(**changes):
        return json.dumps({**full, **changes}, separators=(",", ":")).encode()

    header = b'{"alg":"HS256","typ":"JWT","kid":"k1"}'
    return {
        "whole": b"\x00" + part(header) + b"." + part(claims()) + b"." + part(bytes(32)),
        "none": b"\x00" + part(b'{"alg":"none"}') + b"." + part(claims()) + b".",
        "rs256": b"\x00" + part(b'{"alg":"RS256","jwk":{}}') + b"." + part(claims()) + b"." + part(bytes(256)),
        "claims": b"\x01" + claims(),
        "sub-only": b'\x01{"sub":"a"}',
        "strict": b"\x01" + claims(aud="hub"),
        "expired": b"\x01" + claims(exp=1767225590),
        "absurd-dates": b"\x01" + claims(exp=1e300, nbf=-1),
        "last-date": b"\x01" + claims(exp=253402300799),
        "long-name": b"\x01" + claims(name="e\u0301" * 64),
        "turned-name": b"\x01" + claims(name="a\u202eb"),
        "no-rooms": b"\x01" + claims(rooms=[]),
        "many-rooms": b"\x01" + claims(rooms=[{"match": "a", "can": []}] * 65),
        "unknown-grant": b"\x01" + claims(rooms=[{"match": "a", "can": ["read"], "until": 1}]),
        "twice": b'\x01{"sub":"a","sub":"b"}',
        "header": b"\x02" + header + b"\n" + claims(),
        "crit": b'\x02{"alg":"HS256","crit":["x"]}\n' + claims(),
        "typ": b'\x02{"alg":"HS256","typ":"logout+jwt"}\n' + claims(),
        "hs512": b'\x02{"alg":"HS512"}\n' + claims(),
        "unknown-kid": b'\x02{"alg":"HS256","kid":"\\u0000"}\n' + claims(),
    }


RSA = (
    "sw8a0eBsVF5iFpp0UbkHWdCEQy6lMfVUaeFd8xy9zl7VDZM0BfbfWkAlR4-i2mqsxsGjNgET8RNIj_pZDNv7icQKl8YHxvC9ssTDAsrMnIyMdI3i"
    "Z-iQ1DONplkBXUaIIPJJL-BHIzDfaawDbXEp5eSIHUGjnCIXxyXC8gJzH9tcGftuBGRtDfiHiexKTgzEHsX0KfVmB6iaYHR9YolYch4hHGI7ZnD5"
    "59m2UXf3CdZKfLJDL-scIB8Y9GgQ-iPuT_MwEcr6dEiSNuSi0eZfcbllMT-dH6ieVKHR34-ciNzsrxodOn4BRXW7zSeNFMi71evJBSEvgvgilWf4"
    "7IP72w")
# The generators of the curves: well-known points that are nobody's keys.
P256 = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
P384 = (
    0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F)
ED25519 = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")


def url64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def key_sets():
    p256 = {"kty": "EC", "crv": "P-256", **{n: url64(v.to_bytes(32, "big")) for n, v in zip("xy", P256)}}
    p384 = {"kty": "EC", "crv": "P-384", **{n: url64(v.to_bytes(48, "big")) for n, v in zip("xy", P384)}}
    members = {
        "rsa": {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": RSA, "e": "AQAB"},
        "rsa-both": {"kty": "RSA", "n": RSA, "e": "Aw"},
        "rsa-odd": {"kty": "RSA", "n": RSA, "e": "AA"},
        "rsa-small": {"kty": "RSA", "n": RSA[:100], "e": "AQAB"},
        "p256": {**p256, "kid": "p", "key_ops": ["verify"]},
        "p256-off-curve": {**p256, "y": url64(bytes(32))},
        "p384": p384,
        "ed25519": {"kty": "OKP", "crv": "Ed25519", "x": url64(ED25519)},
        "secret": {"kty": "oct", "alg": "HS256", "k": url64(bytes(range(32)))},
        "private": {**p256, "d": "AA"},
        "encryption": {**p256, "use": "enc"},
        "unknown": {"kty": "x"},
    }
    sets = {name: json.dumps({"keys": [member]}, separators=(",", ":")) for name, member in members.items()}
    sets["all"] = json.dumps({"keys": list(members.values())}, separators=(",", ":"))
    sets["none"] = '{"keys":[]}'
    return sets


def pem_block(label, der):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


def pems():
    point = b"".join(value.to_bytes(32, "big") for value in P256)
    p256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04" + point
    point = b"".join(value.to_bytes(48, "big") for value in P384)
    p384 = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200") + b"\x04" + point
    ed25519 = bytes.fromhex("302a300506032b6570032100") + ED25519
    modulus = b"\x00" + base64.urlsafe_b64decode(RSA + "==")
    numbers = b"\x02\x82\x01\x01" + modulus + b"\x02\x03\x01\x00\x01"
    pkcs1 = b"\x30\x82" + struct.pack(">H", len(numbers)) + numbers
    bits = b"\x00" + pkcs1
    inner = bytes.fromhex("300d06092a864886f70d0101010500") + b"\x03\x82" + struct.pack(">H", len(bits)) + bits
    rsa = b"\x30\x82" + struct.pack(">H", len(inner)) + inner
    # A key whose private half is the number 1, and which therefore belongs to nobody.
    private = bytes.fromhex("302e020100300506032b657004220420") + bytes(31) + b"\x01"
    return {
        "p256": pem_block("PUBLIC KEY", p256),
        "p384": pem_block("PUBLIC KEY", p384),
        "ed25519": pem_block("PUBLIC KEY", ed25519),
        "rsa": pem_block("PUBLIC KEY", rsa),
        "rsa-pkcs1": pem_block("RSA PUBLIC KEY", pkcs1),
        "two": "comment\n" + pem_block("PUBLIC KEY", p256) + " " + pem_block("PUBLIC KEY", ed25519),
        "private": pem_block("PRIVATE KEY", private),
        "encrypted": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n"
        "-----END RSA PRIVATE KEY-----\n",
        "certificate": pem_block("CERTIFICATE", b"\x30\x03\x02\x01\x00"),
        "cut": pem_block("PUBLIC KEY", p256)[:-30],
        "crlf": pem_block("PUBLIC KEY", p256).replace("\n", "\r\n"),
    }


def names():
    texts = [
        "lobby", "dm:a:b", "dm:a%25:b%3A", "dm:b:a", "alice\nbob", "a:b\n%", "e\u0301\n\u00e9", "127.0.0.1:8080",
        "[::1]:0", "localhost:80", "10.0.0.0/8", "2001:db8::/33", "::ffff:1.2.3.4", "team-*", "*",
        "https://*.example.com", "http://localhost:*", "same-origin", "sqlite:/a", "postgres://u:p@h/d", "memory",
        "https://id.example.com/jwks", "http://127.0.0.1/jwks", "AQIDBA", "/w \"b o b\" hi", "/mute bob 10",
        "//x", "/me\u2003waves", "\u0301", "127.0.0.1\0:80",
    ]
    return {f"text-{index:02}": text for index, text in enumerate(texts)}


def proxy_headers():
    signature = b"\r\n\r\n\0\r\nQUIT\n"

    def header(command, family, payload):
        return signature + bytes([command, family]) + struct.pack(">H", len(payload)) + payload

    v4 = bytes([192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 1, 0xBB])
    headers = {
        "v4": header(0x21, 0x11, v4) + b"GET / HTTP/1.1\r\n\r\n",
        "v6": header(0x21, 0x21, bytes(range(36))) + b"x",
        "addition": header(0x21, 0x11, v4 + b"\x01\x00\x02h2"),
        "local": header(0x20, 0x00, b""),
        "unspecified": header(0x21, 0x00, b""),
        "unix": header(0x21, 0x31, b"/" * 216),
        "short": header(0x21, 0x11, v4[:-1]),
        "family-9": header(0x21, 0x91, v4),
        "version-1": b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
        "too-long": signature + b"\x21\x11\x04\x01",
        "twice": header(0x21, 0x11, v4) * 2,
    }
    return {name: bytes([[0, 5, 133][index % 3]]) + head for index, (name, head) in enumerate(headers.items())}


def configurations():
    return {
        "file": '{"listen": "0.0.0.0:8443", "auth": {"secretFile": "/run/key"}, "rates.roomBurst": 10}',
        "json5": "// c\n{listen: '127.0.0.1:1', deflate: true, /* x */ origins: ['*',], loops: 0x10, \"node\": \"a\\\nb\"}",
        "sections": '{"tls": {"certificate": "/c", "key": "/k", "minimumVersion": "1.3"}, "drain": {"closeOverMs": 1}}',
        "twice": '{"tls": {"key": "a"}, "tls.key": "b"}',
        "unknown": '{"listne": 1, "tls": {"kye": null}, "x": [1, "a"]}',
        "wrong-types": '{"loops": "many", "deflate": 1, "origins": "x", "limits.textBytesMax": 1e30, "log.level": []}',
        "deep": '{"a":' * 600 + "1" + "}" * 600,
        "contradiction": '{"limits": {"textBytesMax": 65536}}',
        "environment": "\0GOHUB_LISTEN=127.0.0.1:0\nGOHUB_AUTH_SECRET=" + "s" * 32 + "\nGOHUB_ORIGINS=a,b\nHOME=/",
        "environment-unknown": "\0GOHUB_LSITEN=1\nGOHUB_LOOPS=-1",
        "command-line": "\0\0listen=127.0.0.1:9\nrates.userPerSecond=0\nauth.jwksURL=https://a.example/k\nauth.secret=x",
        "all": '{"trustedProxies": ["10.0.0.0/8"], "auth.publicKeys": ["/p"]}\0GOHUB_LOG_LEVEL=debug\0store=memory',
        "api-key-twice": '{"api": {"keyFile": "/k"}}',
        "not-json": "{]",
    }


def utf8():
    texts = {
        "ascii": b"x" * 70, "mixed": "aä€🌍".encode() * 9, "surrogate": b"ab\xed\xa0\x80", "overlong": b"\xc0\xaf",
        "too-high": b"\xf4\x90\x80\x80", "cut": "€".encode()[:2], "late": b"a" * 40 + b"\xff",
    }
    return {name: bytes([[0, 3, 129][index % 3]]) + text for index, (name, text) in enumerate(texts.items())}


def files():
    """A file's description and first bytes, after the announced size."""
    seeds = {
        "name": "sü ß.tar.gz", "path": "../../etc/passwd", "windows": "C:\\a\\b<c>.txt...", "bidi": "a\u202egpj.exe",
        "long": "ä" * 200 + ".png", "dots": "." * 300, "percent": "50%25\"'.txt", "range": "bytes=0-9",
        "ranges": "bytes=0-1, 5-,-3,200-300", "many": "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 40, 2)),
        "huge": "bytes=1-99999999999999999999", "backward": "bytes=9-0", "date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "id": "AAAAAAAAAAAAAAAAAAAAAA", "blob": "0f" * 32 + ".AAAAAAAAAAAAAAAAAAAAAA", "hash": "0F" * 32,
        "png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff\xe0", "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
        "mp4": b"\0\0\0\x14ftypisom\0\0\0\0avc1", "lying-box": b"\xff\xff\xff\xfcftypisom\0\0\0\0avif",
        "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "mp3": (b"\xff\xfb\x90\0" + bytes(413)) * 2,
        "polyglot": b"GIF89a/*<script>*/", "svg": "<svg onload='x()'/>", "cut": "a€".encode()[:-1],
    }
    return {name: bytes([100]) + (seed.encode() if isinstance(seed, str) else seed) for name, seed in seeds.items()}


def bulk(text):
    """A bulk string of Redis' protocol (RESP2)."""
    return f"${len(text.encode())}\r\n{text}\r\n"


def array(*words):
    return f"*{len(words)}\r\n" + "".join(word if word[:1] in "+-:$*" and word.endswith("\r\n") else bulk(word) for word in words)


REDIS_PRIMARY = array("master", ":3129659\r\n", array(array("127.0.0.1", "9001", "3129242")))
REDIS_REPLICA = array("slave", "127.0.0.1", ":9000\r\n", "connected", ":3167038\r\n")
REDIS_INFO = bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:4256b156f96e7f056233fe307ad1b77b5c968f07\r\n")
REDIS_GREETING = "+OK\r\n+OK\r\n" + REDIS_PRIMARY + REDIS_INFO
BUS_CHANNELS = ["gohub.all", "gohub.r.default.lobby", "gohub.u.default.alice"]


def resp_replies():
    head = "\x05\x00"
    return {
        "greeting": head + REDIS_GREETING,
        "message": head + array("message", BUS_CHANNELS[0], "hello"),
        "nulls": head + "$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n",
        "numbers": head + ":0\r\n:-9223372036854775808\r\n:+1\r\n",
        "error": head + "-NOPERM this user has no permissions\r\n",
        "nested": head + "*1\r\n*1\r\n*1\r\n:1\r\n",
        "small": "\x01\x01" + REDIS_PRIMARY,
        "tiny": "\x80\x02" + "+OK\r\n$5\r\nhello\r\n",
    }


def redis_dialogues():
    confirmations = "".join(array("subscribe", channel, f":{n}\r\n") for n, channel in enumerate(BUS_CHANNELS[:2]))
    address = array("127.0.0.1", "6379")
    return {
        "commands": "\x00\x03" + REDIS_GREETING + ":1\r\n:2\r\n:0\r\n",
        "replica": "\x00\x03+OK\r\n+OK\r\n" + REDIS_REPLICA,
        "refused": "\x00\x03-ERR unknown command 'AUTH', with args beginning with: 'hub'\r\n",
        "denied": "\x00\x03" + REDIS_GREETING + "-NOPERM no channel\r\n",
        "subscriptions": "\x01\x80" + REDIS_GREETING + confirmations + array("message", BUS_CHANNELS[0], "x"),
        "pong": "\x01\x80" + REDIS_GREETING + array("pong", ""),
        "sentinel": "\x02\x01+OK\r\n" + address + array("subscribe", "+switch-master", ":1\r\n")
        + array("message", "+switch-master", "main 1.1.1.1 1 2.2.2.2 2"),
        "nobody": "\x02\x01+OK\r\n*-1\r\n",
    }


def counted(value):
    """A text in a frame of the bus."""
    data = value.encode()
    return bytes([len(data)]) + data


def bus_frames():
    def frame(topic, kind, body=b""):
        return bytes([topic, 1, 1, 0, kind]) + struct.pack(">QQ", 9, 1 << 40) + body

    node, everyone, room, user = range(4)
    member = counted("bob") + b"\x01" + counted("Bob")
    content = counted("c1") + member + counted("hi") + b"\x01\x02"
    entry = b"\x05\x02" + content + b"\x00"
    changed = b"\x06\x02" + content + b"\x05\x03" + counted("+1") + b"\x00\x01"
    amended = b"\x07\x02" + content + b"\x01\x0b\x01\x05\x02\x00\x01" + counted("+1") + b"\x02\x00"
    file = counted("AAAAAAAAAAAAAAAAAAAAAA") + counted("a.png") + counted("image/png") + b"\x09\x01\x01\x01\x00\x01\x00"
    attached = b"\x08\x02" + content + b"\x02\x01" + bytes([len(file)]) + file + b"\x00"

    def entries(*list_):
        return counted("e1") + b"\x01\x07" + bytes([len(list_)]) + b"".join(bytes([len(e)]) + e for e in list_)

    stamp = struct.pack(">QQ", 5, 6)
    key = counted("default") + counted("alice")
    return {
        "bye": frame(everyone, 2),
        "returned": frame(everyone, 4),
        "beat": frame(everyone, 1, counted("node-1") + b"\x00\x01\x01\x01" + counted("run") + b"\x03\x04\x02"),
        "ask": frame(everyone, 3, b"\x01\x00" + counted("default")),
        "remove": frame(everyone, 3, b"\x01\x01" + key + b"\x98\x23"),
        "reply": frame(node, 16, b"\x01\x00\x01" + counted("lobby")),
        "answer": frame(node, 17, key + counted("phone") + stamp + b"\x03" + stamp + b"\x09"),
        "part": frame(node, 18, counted("default") + counted("lobby") + b"\x07\x00\x01\x01" + member),
        "entries": frame(room, 32, entries(entry, changed, attached)),
        "amended": frame(room, 32, entries(amended)),
        "head": frame(room, 33, counted("e1") + b"\x05"),
        "ephemeral": frame(room, 34, content + b"\x00\x02"),
        "receipts": frame(room, 36, counted("e1") + b"\x01" + counted("bob") + b"\x05\x03"),
        "presence": frame(room, 37, b"\x01\x05\x06\x01" + member + b"\x01" + counted("al") + b"\x01"),
        "kicked": frame(room, 40, counted("bob") + member + b"\x00"),
        "muted": frame(room, 40, counted("bob") + member + b"\x01\x05"),
        "doubt": frame(room, 42, counted("bob") + counted("c1")),
        "claim": frame(user, 64, counted("phone") + stamp + b"\x01\x09"),
        "direct": frame(user, 65, counted("dm:alice:bob") + entries(entry)),
        "typing": frame(user, 67, counted("dm:alice:bob") + counted("bob") + b"\x01"),
    }


def redis_names():
    return {
        "all": "gohub\ngohub.all",
        "node": "a:b\na:b.n.0000000000000abc",
        "room": "gohub\ngohub.r.a%2Eb.dm%3Aalice%3Abob",
        "user": "gohub\ngohub.u.default.Zo%C3%AB%20~",
        "server": "x\nredis://hub:p%40ss@host:7000/0",
        "tls": "x\nrediss://[::1]:6380?ca=%2Fca.pem&certificate=c&key=k&serverName=n",
        "sentinels": "x\nredis+sentinel://hub:p@a,b:27000/main?sentinelUser=s&sentinelPassword=t",
    }


for target, seeds in {
    "requestHead": request_heads(), "chunkedBody": chunked_bodies(), "frames": frames(), "messages": messages(), "utf8": utf8(), "deflate": deflate(),
    "commands": commands(), "session": sessions(), "token": tokens(), "keySet": key_sets(), "pem": pems(),
    "names": names(), "proxyHeader": proxy_headers(), "configuration": configurations(),
    "files": files(),
    "busFrames": bus_frames(), "resp": resp_replies(), "redisDialogues": redis_dialogues(), "redisNames": redis_names(),
}.items():
    save(target, seeds)
