import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Uploads over a session: accepted input, requests to the store, and events.
struct SessionTransfersTests {
    private static let kibibytes: UInt64 = 1024

    private let file = FileID.random()

    private static func context(_ change: (inout Limits) -> Void = { _ in }) -> SessionContext {
        var limits = Limits()
        limits.transferWindowBytes = 8 * 1024
        change(&limits)
        return SessionContext(limits: limits, limiter: SessionFixture.unlimited, files: TestFileStore())
    }

    private static func fixture(
        grants: Grants = .participant, _ change: (inout Limits) -> Void = { _ in }
    ) -> SessionFixture {
        .inLobby(context: context(change), grants: grants)
    }

    private static func upload(_ id: String = "u", size: UInt64 = 20 * kibibytes, in room: String = "lobby") -> String {
        #"{"op":"upload","id":"\#(id)","room":"\#(room)","name":"a/cat.png","type":"image/png","size":\#(size)}"#
    }

    private func request(_ id: String = "u", size: UInt64 = 20 * kibibytes, in room: RoomID = .lobby) -> Upload.Request
    {
        Upload.Request(
            room: room, owner: .alice, id: .named(id), name: FileName(cleaning: "a/cat.png"),
            declaredType: "image/png", size: size)
    }

    private func lease(_ number: UInt64 = 1) -> Upload.Lease { Upload.Lease(id: file, number: number) }

    private func open(at offset: UInt64 = 0, size: UInt64 = 20 * kibibytes) -> TransferAnswer {
        let upload = Upload(id: file, request: request(size: size), offset: offset, expiresAt: .ms(1000))
        return .begun(.success(.open(upload, lease())))
    }

    /// A session that may upload.
    private func ready(
        size: UInt64 = 20 * kibibytes, _ change: (inout Limits) -> Void = { _ in }
    ) -> SessionFixture {
        var fixture = Self.fixture(change)
        _ = fixture.say(Self.upload(size: size))
        _ = fixture.answered(1, open(size: size))
        return fixture
    }

    private func bytes(_ count: UInt64, _ value: UInt8 = 7) -> [UInt8] { Array(repeating: value, count: Int(count)) }

    private func progress(_ offset: UInt64, _ credit: UInt64, transfer: UInt32 = 1) -> Event.TransferProgress {
        Event.TransferProgress(transfer: transfer, offset: offset, credit: credit)
    }

    private func stored(_ size: UInt64 = 20 * kibibytes) -> StoredFile {
        let made = StoredFile.test(in: .lobby)
        return StoredFile(
            id: file, room: .lobby, owner: .alice, name: FileName(cleaning: "cat.png"), type: .png, size: size,
            hash: made.hash, createdAt: .ms(0))
    }

    // MARK: From the first byte to the last

    @Test func uploadArrivesInPartsWithinCredit() {
        var fixture = Self.fixture()
        #expect(fixture.say(Self.upload()) == [.transfer(1, .begin(request()))])
        #expect(fixture.answered(1, open()) == [.send(.uploadReady(id: .named("u"), progress(0, 8192)))])
        let first = bytes(4096, 1)
        #expect(fixture.sayBytes(transferChunk(1, at: 0, first)) == [.transfer(1, .write(first, at: 0, lease()))])
        // Bytes that arrive while the store writes are written together.
        #expect(fixture.sayBytes(transferChunk(1, at: 4096, bytes(2048, 2))) == [])
        #expect(fixture.sayBytes(transferChunk(1, at: 6144, bytes(2048, 3))) == [])
        #expect(
            fixture.answered(1, .stored(.success(4096))) == [
                .send(.uploadProgress(progress(4096, 8192))),
                .transfer(1, .write(bytes(2048, 2) + bytes(2048, 3), at: 4096, lease())),
            ])
        #expect(fixture.answered(1, .stored(.success(8192))) == [.send(.uploadProgress(progress(8192, 8192)))])
        _ = fixture.sayBytes(transferChunk(1, at: 8192, bytes(8192)))
        #expect(
            fixture.answered(1, .stored(.success(16_384))) == [.send(.uploadProgress(progress(16_384, 4096)))],
            "no more credit than there are bytes left")
        _ = fixture.sayBytes(transferChunk(1, at: 16_384, bytes(4096)))
        #expect(fixture.answered(1, .stored(.success(20_480))) == [.transfer(1, .finish(lease()))])
        let file = stored()
        #expect(
            fixture.answered(1, .finished(.success(file))) == [.send(.uploaded(id: .named("u"), AttachedFile(file)))])
    }

    @Test func interruptedUploadResumes() {
        var fixture = Self.fixture()
        _ = fixture.say(Self.upload())
        #expect(
            fixture.answered(1, open(at: 15_000)) == [.send(.uploadReady(id: .named("u"), progress(15_000, 5480)))])
        let rest = bytes(5480)
        #expect(
            fixture.sayBytes(transferChunk(1, at: 15_000, rest)) == [.transfer(1, .write(rest, at: 15_000, lease()))])
    }

    @Test func storedBytesAreNotSentAgain() {
        var fixture = Self.fixture()
        _ = fixture.say(Self.upload())
        #expect(fixture.answered(1, open(at: 20_480)) == [.transfer(1, .finish(lease()))], "only its check was missing")
        var other = Self.fixture()
        _ = other.say(Self.upload())
        #expect(
            other.answered(1, .begun(.success(.finished(stored()))))
                == [.send(.uploaded(id: .named("u"), AttachedFile(stored())))])
        var empty = Self.fixture()
        _ = empty.say(Self.upload(size: 0))
        #expect(empty.answered(1, open(size: 0)) == [.transfer(1, .finish(lease()))])
    }

    @Test func directConversationNeedsNoJoin() {
        var fixture = SessionFixture.active(context: Self.context())
        let room = RoomID(tenant: .standard, name: .direct(.alice, .bob))
        #expect(fixture.say(Self.upload(in: "dm:alice:bob")) == [.transfer(1, .begin(request(in: room)))])
    }

    // MARK: Refusals

    @Test func uploadNeedsWritePermission() {
        var outside = SessionFixture.active(context: Self.context())
        #expect(outside.say(Self.upload()) == [.error("u", .conflict, "Join the room first.")])
        let reads = Grants(Grants.participant.entries.map { Grants.Entry(match: $0.match, can: .read) })
        var reader = Self.fixture(grants: reads)
        #expect(
            reader.say(Self.upload()) == [.error("u", .forbidden, "Your token does not grant access to this room.")])
        var stranger = Self.fixture()
        #expect(stranger.say(Self.upload(in: "dm:bob:carol")).first.map(\.isError) == true)
    }

    @Test func hubWithoutFilesRefusesUploads() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(Self.upload()) == [.error("u", .notFound, "File uploads are disabled on this server.")])
    }

    @Test func storeRefusalReachesTheClient() {
        var fixture = Self.fixture()
        _ = fixture.say(Self.upload())
        let refusal = FileError(.tooLarge, "The file is larger than the limit of 9 bytes.")
        #expect(fixture.answered(1, .begun(.failure(refusal))) == [.error("u", .tooLarge, refusal.message)])
        _ = fixture.say(Self.upload())
        let busy = SessionAction.error("u", .unavailable, FileError.busy.message, wait: 1000)
        #expect(fixture.answered(2, .begun(.failure(.busy))) == [busy])
    }

    /// A refused message ends the transfer, because its client doesn't know the offset.
    private var refusal: [SessionAction] {
        [.release(lease()), .error("u", .badRequest, "This part is out of order or exceeds the credit.")]
    }

    @Test(arguments: [1, 8192, UInt64.max]) func outOfOrderPartEndsTransfer(offset: UInt64) {
        var fixture = ready()
        #expect(fixture.sayBytes(transferChunk(1, at: offset, bytes(2000))) == refusal)
    }

    @Test(arguments: [UInt64(8193), 20_480]) func aPartBeyondTheCreditEndsIt(count: UInt64) {
        var fixture = ready()
        #expect(fixture.sayBytes(transferChunk(1, at: 0, bytes(count))) == refusal)
        #expect(fixture.sayBytes(transferChunk(1, at: 0, bytes(4096))) == [], "what was under way is passed over")
        #expect(fixture.say(Self.upload()) == [.transfer(2, .begin(request()))], "and it may begin anew")
    }

    @Test(arguments: [0, 4, 11, 12]) func binaryMessageWithoutPayloadIsMalformed(count: Int) {
        var fixture = ready()
        let message = "A binary message must be a 12-byte header followed by a part of a file."
        let header = transferChunk(1, at: 0, [UInt8]())
        #expect(fixture.sayBytes(Array(header.prefix(count))) == [.error(nil, .badRequest, message)])
    }

    @Test func unknownTransferNumberIsMalformedAndFinallyCloses() {
        var fixture = ready { $0.malformedPerMinuteMax = 2 }
        for number in [UInt32(0), 2] {
            #expect(
                fixture.sayBytes(transferChunk(number, at: 0, [1]))
                    == [.error(nil, .badRequest, "There is no transfer \(number).")])
        }
        #expect(fixture.sayBytes(transferChunk(.max, at: 0, [1])).last == .close(.tooManyViolations))
    }

    @Test func binaryBeforeWelcomeCloses() {
        var fixture = SessionFixture(context: Self.context())
        #expect(fixture.sayBytes(transferChunk(1, at: 0, [1])) == [.close(.unsupportedData)])
    }

    @Test func tinyPartsAreChargedAsCommands() {
        var limits = Limits()
        limits.floodedPerMinuteMax = 1
        let context = SessionContext(
            limits: limits, limiter: RateLimiter(.init(connection: .perSecond(1, burst: 10))), files: TestFileStore())
        var fixture = SessionFixture.inLobby(context: context)
        _ = fixture.say(Self.upload(size: 200_000))
        _ = fixture.answered(1, open(size: 200_000))
        var offset: UInt64 = 0
        for _ in 0..<40 where !fixture.session.isClosed {
            _ = fixture.sayBytes(transferChunk(1, at: offset, [1]))
            offset += 1
        }
        #expect(fixture.session.isClosed)
        #expect((6...12).contains(offset), "\(offset)")
        var large = SessionFixture.inLobby(context: context)
        _ = large.say(Self.upload(size: 200_000))
        _ = large.answered(1, open(size: 200_000))
        for number in 0..<40 { _ = large.sayBytes(transferChunk(1, at: UInt64(number) * 1024, bytes(1024))) }
        #expect(!large.session.isClosed, "what has credit isn't")
    }

    // MARK: Bounds

    @Test func transfersPerSessionAreLimited() {
        var fixture = Self.fixture { $0.transfersPerSessionMax = 2 }
        _ = fixture.say(Self.upload("a"))
        #expect(fixture.say(Self.upload("a")) == [.error("a", .conflict, "This upload is already in progress.")])
        _ = fixture.say(Self.upload("b"))
        #expect(
            fixture.say(Self.upload("c")) == [
                .error("c", .tooLarge, "A session can have at most 2 uploads at the same time.")
            ])
        _ = fixture.answered(1, .begun(.failure(.notFound)))
        #expect(fixture.say(Self.upload("c")).count == 1)
    }

    @Test func transferSlotsAreShared() {
        let context = Self.context { $0.transfersMax = 1 }
        var (one, two) = (SessionFixture.inLobby(context: context), SessionFixture.inLobby(context: context))
        _ = one.say(Self.upload())
        let refusal = SessionAction.error(
            "u", .unavailable, "The hub has too many uploads. Try again shortly.", wait: 5000)
        #expect(two.say(Self.upload()) == [refusal])
        _ = one.session.actions { $0.transportClosed(into: &$1) }
        #expect(two.say(Self.upload()) == [.transfer(1, .begin(request()))])
        _ = two.answered(1, .begun(.failure(.notFound)))
        var three = SessionFixture.inLobby(context: context)
        #expect(three.say(Self.upload()) == [.transfer(1, .begin(request()))])
    }

    @Test func transfersPerUserAreLimited() {
        let context = Self.context { $0.transfersPerUserMax = 1 }
        var (one, two) = (SessionFixture.inLobby(context: context), SessionFixture.inLobby(context: context))
        _ = one.say(Self.upload())
        #expect(
            two.say(Self.upload("v")) == [
                .error("v", .unavailable, "The hub has too many uploads. Try again shortly.", wait: 5000)
            ])
        _ = one.answered(1, .begun(.failure(.notFound)))
        #expect(two.say(Self.upload("v")) == [.transfer(1, .begin(request("v")))])
    }

    @Test func idleTransferFreesItsSlot() {
        var fixture = ready { $0.transferTimeout = 5000 }
        #expect(fixture.session.nextDeadline == .ms(5000))
        fixture.now = .ms(3000)
        let part = bytes(4096)
        _ = fixture.sayBytes(transferChunk(1, at: 0, part))
        #expect(fixture.session.nextDeadline == .ms(28_000), "while the store is at it, nobody stands still")
        fixture.now = .ms(10_000)
        _ = fixture.answered(1, .stored(.success(4096)))
        #expect(fixture.timer(at: .ms(14_999)) == [])
        let message = "The upload timed out. Send the same upload again to resume it."
        #expect(fixture.timer(at: .ms(15_000)) == [.release(lease()), .error("u", .unavailable, message)])
        #expect(fixture.session.nextDeadline == .ms(28_000))
    }

    // MARK: The end

    @Test func cancelledUploadIsRemoved() {
        var fixture = ready()
        _ = fixture.sayBytes(transferChunk(1, at: 0, bytes(4096)))
        #expect(
            fixture.say(#"{"op":"cancelUpload","id":"c","transfer":1}"#)
                == [.transfer(1, .cancel(file, by: UserKey(tenant: .standard, user: .alice)))])
        #expect(fixture.sayBytes(transferChunk(1, at: 4096, bytes(4096))) == [], "what was under way is passed over")
        #expect(fixture.answered(1, .stored(.failure(.superseded))) == [])
        #expect(fixture.answered(1, .cancelled(.success(()))) == [.send(.uploadCancelled(id: .named("c")))])
        let missing = SessionAction.error("c", .notFound, "There is no such transfer.")
        #expect(fixture.say(#"{"op":"cancelUpload","id":"c","transfer":1}"#) == [missing])
    }

    @Test func cancellationAfterCompletionIsRefused() {
        var fixture = ready(size: 4096)
        _ = fixture.sayBytes(transferChunk(1, at: 0, bytes(4096)))
        #expect(fixture.answered(1, .stored(.success(4096))) == [.transfer(1, .finish(lease()))])
        _ = fixture.say(#"{"op":"cancelUpload","id":"c","transfer":1}"#)
        let file = stored(4096)
        #expect(
            fixture.answered(1, .finished(.success(file))) == [
                .send(.uploaded(id: .named("u"), AttachedFile(file))),
                .error("c", .notFound, "The upload was already complete."),
            ])
        #expect(fixture.answered(1, .cancelled(.failure(.notFound))) == [])
    }

    @Test func failedCancellationEndsTransferAndKeepsUpload() {
        var fixture = ready()
        _ = fixture.say(#"{"op":"cancelUpload","id":"c","transfer":1}"#)
        #expect(
            fixture.answered(1, .cancelled(.failure(.busy))) == [
                .release(lease()), .error("u", .unavailable, FileError.busy.message, wait: 1000),
                .error("c", .unavailable, FileError.busy.message),
            ])
        var gone = ready()
        _ = gone.say(#"{"op":"cancelUpload","id":"c","transfer":1}"#)
        #expect(
            gone.session.actions { $0.transportClosed(into: &$1) }.first == .release(lease()),
            "nor is it forgotten with the session")
    }

    @Test func hashMismatchIsReported() {
        var fixture = ready(size: 4096)
        _ = fixture.sayBytes(transferChunk(1, at: 0, bytes(4096)))
        _ = fixture.answered(1, .stored(.success(4096)))
        let error = FileError(.hashMismatch, "The bytes don't come to the hash.")
        #expect(
            fixture.answered(1, .finished(.failure(error))) == [
                .release(lease()), .error("u", .badRequest, error.message),
            ])
    }

    @Test func revokedRoomAcceptsNoMoreParts() {
        var fixture = ready(size: 4096)
        _ = fixture.sayBytes(transferChunk(1, at: 0, bytes(4096)))
        _ = fixture.receivedFromHub(.left(.lobby, .left(id: nil, room: .lobby, reason: "banned")))
        #expect(
            fixture.answered(1, .stored(.success(4096))) == [
                .release(lease()), .error("u", .forbidden, "Your token does not grant access to this room."),
            ])
    }

    @Test func endOfSessionReleasesLeases() {
        var fixture = ready()
        _ = fixture.say(Self.upload("v"))
        #expect(fixture.session.actions { $0.transportClosed(into: &$1) }.first == .release(lease()))
        #expect(fixture.answered(2, open()) == [.release(lease())], "one that comes afterwards as well")
        #expect(fixture.answered(1, .stored(.success(4096))) == [])
        #expect(fixture.sayBytes(transferChunk(1, at: 0, bytes(4096))) == [])
    }
}

extension SessionAction {
    fileprivate var isError: Bool {
        guard case .send(.error) = self else { return false }
        return true
    }
}
