import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct AddressTests {
    private func address(_ text: String, port: UInt16 = 0) throws -> SocketAddress {
        try #require(SocketAddress(ip: text, port: port))
    }

    // MARK: SocketAddress

    @Test(arguments: ["127.0.0.1", "203.0.113.7", "::1", "2001:db8::1", "fe80::1"])
    func anAddressIsReadAndWritten(text: String) throws {
        #expect(try address(text).text == text)
    }

    @Test(arguments: [
        "", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "[::1]", "1.2.3.4:80", "::1%lo", "0x7f.1", "127.0.0.1\0",
        "::1\0x",
    ])
    func malformedAddressIsRefused(text: String) {
        #expect(SocketAddress(ip: text) == nil)
    }

    @Test func mappedIPv4AddressIsIPv4() throws {
        #expect(try address("::ffff:1.2.3.4") == address("1.2.3.4"))
        #expect(try address("::ffff:1.2.3.4").description == "1.2.3.4:0")
    }

    @Test func addressesAreCountedByHostOrBySubnet() throws {
        #expect(try address("203.0.113.7", port: 1).limitKey == address("203.0.113.7", port: 2).limitKey)
        #expect(try address("203.0.113.7").limitKey != address("203.0.113.8").limitKey)
        #expect(try address("2001:db8:1:2::1").limitKey == address("2001:db8:1:2:ffff::9").limitKey)
        #expect(try address("2001:db8:1:2::1").limitKey != address("2001:db8:1:3::1").limitKey)
    }

    @Test func loopback() throws {
        for text in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] { #expect(try address(text).isLoopback) }
        for text in ["128.0.0.1", "::2", "0.0.0.0", "::"] { #expect(try !address(text).isLoopback) }
    }

    // MARK: ListenAddress

    @Test func aListenAddressIsReadAndWritten() throws {
        for (text, written) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"), ("[::1]:0", "[::1]:0"), ("localhost:80", "127.0.0.1:80"),
            ("0.0.0.0:65535", "0.0.0.0:65535"), ("[::]:8080", "[::]:8080"),
        ] {
            #expect(try #require(ListenAddress(text)).description == written)
        }
        #expect(try #require(ListenAddress("127.0.0.1:8080")).port == 8080)
        #expect(try #require(ListenAddress("localhost:1")).isLoopback)
        #expect(try !#require(ListenAddress("0.0.0.0:1")).isLoopback)
    }

    @Test(arguments: [
        "", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:8080", "[::1]", "[::1:80", "example.com:80", "127.0.0.1:80 ",
    ])
    func malformedListenAddressIsRefused(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    // MARK: AddressRange

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("192.168.1.0/25", "192.168.1.127", true), ("192.168.1.0/25", "192.168.1.128", false),
        ("192.168.1.7", "192.168.1.7", true), ("192.168.1.7", "192.168.1.6", false),
        ("192.168.1.7/32", "192.168.1.7", true), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("::/0", "2001:db8::1", true), ("::/0", "1.2.3.4", false), ("::1", "::1", true),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("10.1.2.3/8", "10.9.9.9", true),
    ])
    func aRangeContainsItsAddresses(range: String, text: String, isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address(text)) == isInside)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/-0", "::/+8", "::/129", "10.0.0.0/8/8", "host/8",
    ])
    func malformedRangeIsRefused(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test func aRangeIsWrittenWithItsBits() throws {
        #expect(try #require(AddressRange("10.0.0.0/8")).description == "10.0.0.0/8")
        #expect(try #require(AddressRange("::1")).description == "::1/128")
    }

    // MARK: ClientAddress

    @Test(arguments: [
        // Without a proxy, the field is never trusted.
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        // A client that adds entries to the field is still counted by its own address.
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        // Two proxies in a row.
        ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "unknown", "10.0.0.1"), ("10.0.0.1", "203.0.113.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7:4711", "10.0.0.1"), ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"), ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ])
    func trustedProxiesNameTheClient(peer: String, forwarded: String, client: String) throws {
        let trusted = [try #require(AddressRange("10.0.0.0/8"))]
        let head = head(forwardedFor: forwarded)
        #expect(ClientAddress(peer: try address(peer), head: head, trusted: trusted).address.text == client)
    }

    private func head(forwardedFor value: String) -> RequestHead {
        RequestHead(
            method: "GET", target: "/", path: "/", query: nil, version: .http11,
            fields: [.init(name: "x-forwarded-for", value: value)])
    }

    // MARK: ProxyHeader

    private let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    @Test func aProxyHeaderOfIPv4() throws {
        let header = ProxyHeader.encode(
            client: try address("203.0.113.7", port: 0x1234), server: try address("192.0.2.1", port: 443), isTLS: false)
        #expect(
            header == signature + [0x21, 0x11, 0, 12, 203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 0x01, 0xBB])
    }

    @Test func aProxyHeaderOfIPv6() throws {
        let client = try address("2001:db8::7", port: 1)
        let header = ProxyHeader.encode(client: client, server: try address("192.0.2.1", port: 2), isTLS: false)
        // The server's IPv4 address is written as an IPv4-mapped IPv6 address.
        let server = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 1]
        #expect(header == signature + [0x21, 0x21, 0, 36] + client.ip + server + [0, 1, 0, 2])
    }

    /// `PP2_TYPE_SSL` with `PP2_CLIENT_SSL` (section 2.2.6).
    @Test func aProxyHeaderOfAClientOverTLS() throws {
        let header = ProxyHeader.encode(
            client: try address("203.0.113.7", port: 0x1234), server: try address("192.0.2.1", port: 443), isTLS: true)
        #expect(
            header == signature + [0x21, 0x11, 0, 20, 203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x34, 0x01, 0xBB]
                + [0x20, 0, 5, 1, 0, 0, 0, 1])
    }

    // MARK: AddressTable

    @Test func addressTableCountsConnections() {
        let table = AddressTable(totalMax: 2, perAddressMax: 1)
        #expect(table.enter() == nil)
        #expect(table.enter() == nil)
        #expect(table.enter() == .total)
        table.leave()
        #expect(table.enter() == nil)
        #expect(table.total == 2)
        #expect(table.enter("a") == nil)
        #expect(table.enter("a") == .address)
        #expect(table.enter("b") == nil)
        table.leave("a")
        #expect(table.enter("a") == nil)
        table.leave("never there")
        #expect(table.enter("b") == .address)
    }
}
