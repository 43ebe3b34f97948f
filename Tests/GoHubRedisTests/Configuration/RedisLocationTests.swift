import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

struct RedisLocationTests {
    private func location(_ text: String) throws -> RedisLocation { try RedisLocation(text) }

    @Test func oneServer() throws {
        #expect(try location("redis://host").place == .server(.of("host")))
        #expect(try location("redis://host:7000/").place == .server(.of("host", 7000)))
        #expect(try location("redis://host/0").place == .server(.of("host")))
        #expect(try location("redis://[::1]:7000").place == .server(.of("::1", 7000)))
        #expect(try location("redis://[2001:db8::1]").place == .server(.of("2001:db8::1")))
        #expect(try location("redis://10.0.0.1").credentials == nil)
        #expect(try location("redis://host").tls == nil)
        #expect(try !location("redis://host").holdsPassword)
    }

    @Test func usersAndPasswordsAreDecoded() throws {
        #expect(
            try location("redis://hub:p%40ss%3A%2F%25+%C3%A9@host").credentials
                == RedisCredentials(user: "hub", password: "p@ss:/%+é"))
        #expect(try location("redis://:secret@host").credentials == RedisCredentials(user: nil, password: "secret"))
        #expect(try location("redis://:secret@host").holdsPassword)
    }

    @Test func sentinels() throws {
        let location = try location(
            "redis+sentinel://hub:p@a,b:27000,[::1]:26380/my-main.1?sentinelUser=s&sentinelPassword=%26x")
        #expect(
            location.place
                == .sentinels([.of("a", 26379), .of("b", 27000), .of("::1", 26380)], master: "my-main.1"))
        #expect(location.credentials == RedisCredentials(user: "hub", password: "p"))
        #expect(location.sentinelCredentials == RedisCredentials(user: "s", password: "&x"))
        #expect(try self.location("redis+sentinel://a/main?sentinelPassword=x").holdsPassword)
    }

    @Test func encryption() throws {
        #expect(try location("rediss://host").tls == RedisLocation.TLS())
        var tls = RedisLocation.TLS()
        (tls.caPath, tls.serverName) = ("/etc/ca.pem", "redis.internal")
        (tls.certificatePath, tls.keyPath) = ("c.pem", "k.pem")
        #expect(
            try location("rediss+sentinel://a/m?ca=%2Fetc/ca.pem&certificate=c.pem&key=k.pem&serverName=redis.internal")
                .tls == tls)
    }

    @Test(arguments: [
        ("", "redis://user:password@host:6379"),
        ("host:6379", "redis://user:password@host:6379"),
        ("http://host", "redis://user:password@host:6379"),
        ("REDIS://host", "redis://user:password@host:6379"),
        ("redis://", "address is missing"),
        ("redis://u:p@", "address is missing"),
        ("redis://u@host", "user:password"),
        ("redis://u:@host", "user:password"),
        ("redis://host:0", "1 to 65535"),
        ("redis://host:65536", "1 to 65535"),
        ("redis://host:+1", "1 to 65535"),
        ("redis://host:", "1 to 65535"),
        ("redis://::1", "brackets"),
        ("redis://[::1", "brackets"),
        ("redis://[a]b", "name or an IP address"),
        ("redis://a_b!", "name or an IP address"),
        ("redis://a,b", "redis+sentinel://"),
        ("redis://host/1", "no database"),
        ("redis://host?db=1", "option is unknown"),
        ("redis://host?ca", "name=value"),
        ("redis://host?ca=", "name=value"),
        ("redis://host?ca=x", "need TLS"),
        ("rediss://host?ca=x&ca=y", "twice"),
        ("rediss://host?key=x", "need each other"),
        ("redis://host?sentinelPassword=x", "redis+sentinel://"),
        ("redis+sentinel://host", "name that they have"),
        ("redis+sentinel://host/", "name that they have"),
        ("redis+sentinel://host/a/b", "name that they have"),
        ("redis+sentinel://,host/a", "name or an IP address"),
        ("redis+sentinel://host/a?sentinelUser=x", "needs sentinelPassword"),
        ("redis://u:%zz@host", "hexadecimal"),
        ("redis://u:%ff@host", "UTF-8"),
        ("redis://ho st", "printable ASCII"),
        ("redis://host\n", "printable ASCII"),
    ])
    func errorsTellWhatToDo(_ text: String, _ part: String) {
        do throws(RedisLocationError) {
            _ = try RedisLocation(text)
            Issue.record("\(text) is accepted")
        } catch {
            #expect(error.description.contains(part), "\(error)")
        }
    }

    /// A password with signs that must be encoded, in every place where it can be misread.
    @Test(arguments: ["/", "@", ":", "#", "?", "%", "&", "=", ",", "[", "]", " ", "é", "\n"])
    func noErrorShowsThePassword(_ sign: String) {
        for scheme in ["redis", "rediss", "redis+sentinel"] {
            for password in ["hunter2\(sign)hunter2", "\(sign)hunter2", "12\(sign)hunter2", "hunter2\(sign)ca=hunter2"]
            {
                for end in ["@host", "@host:6379", "@host/main", "@host/0"] {
                    let text = "\(scheme)://hub:\(password)\(end)"
                    do throws(RedisLocationError) {
                        let location = try RedisLocation(text)
                        var shown = "\(location) "
                        debugPrint(location, to: &shown)
                        #expect(!shown.contains("hunter2"), "\(text) is \(location)")
                    } catch {
                        #expect(!"\(error)".contains("hunter2"), "\(error)")
                    }
                }
            }
        }
    }

    @Test func descriptionsShowNoSecret() throws {
        let location = try location("rediss+sentinel://hub:hunter2@a,b/main?sentinelPassword=hunter3&serverName=x")
        #expect(location.description == "rediss+sentinel://a:26379,b:26379/main")
        var text = ""
        dump(location, to: &text)
        debugPrint(location, to: &text)
        print(RedisIntroduction(credentials: location.credentials, name: "x"), to: &text)
        #expect(!text.contains("hunter"))
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func anyTextIsReadOrRefused(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let letters = Array("redis+sentinel://ab:1@,[]/?&=%40#. é".unicodeScalars)
        for _ in 0..<300 {
            var text = random.pick(["redis://", "rediss://", "redis+sentinel://", ""]) ?? ""
            for _ in 0..<Int(random.next() % 30) { text.unicodeScalars.append(random.pick(letters) ?? "a") }
            guard let location = try? RedisLocation(text) else { continue }
            switch location.place {
            case .server: #expect(!text.contains("sentinel://"), "seed \(seed)")
            case .sentinels(let sentinels, let master):
                #expect((1...RedisLocation.sentinelsMax).contains(sentinels.count) && !master.isEmpty, "seed \(seed)")
            }
        }
    }

    @Test func limitsAreConsistent() {
        #expect(RedisLimits().contradictions().isEmpty)
        var limits = RedisLimits()
        limits.channelsInFlightMax = 1
        limits.answerTimeout = 0
        #expect(limits.contradictions().count == 2)
    }
}
