internal import GoHubTestSupport

@testable import GoHubCore

extension FuzzTarget {
    /// The frames of other nodes. The first byte chooses the topic.
    static let busFrames = FuzzTarget("busFrames", bytesMax: 4096) { bytes in
        var input = FuzzInput(bytes)
        let topic = input.choose(topics)
        let frame = Array(input.rest)
        var codec = FrameCodec(names: ChannelNames())
        guard let heard = decode(frame, topic, codec) else { return }
        try require(heard.topic == topic, "a message is of the topic on which it came")
        let written = try codec.encode(heard, for: ChannelNames().channel(of: topic))
        try require(decode(written, topic, codec) == heard, "what was read can be written and read")
        // Fields that are known have one spelling; what follows them is a later version's.
        try require(written.count <= frame.count, "a message is written in the shortest way")
        let signed = FrameCodec(names: ChannelNames(), authenticators: [{ _, _ in FrameMAC.nobodys }])
        try require(decode(frame, topic, signed) == nil, "a key refuses what isn't signed with it")
    }

    private static let topics: [ClusterTopic] = {
        let nodes: [ClusterTopic] = NodeIncarnation(7).map { [.node($0)] } ?? []
        return nodes + [.all, .room(.lobby), .user(UserKey(tenant: .standard, user: .alice))]
    }()

    private static func decode(_ bytes: [UInt8], _ topic: ClusterTopic, _ codec: FrameCodec) -> ClusterFrame? {
        bytes.withUnsafeBytes { try? codec.decode($0, on: topic) }
    }
}

extension FrameMAC {
    /// Found by no input within the time of a run.
    fileprivate static let nobodys: FrameMAC = {
        guard let mac = FrameMAC([0x9E, 0x37, 0x79, 0xB9, 0x7F, 0x4A, 0x7C, 0x15, 1, 2, 3, 4, 5, 6, 7, 8]) else {
            preconditionFailure("16 bytes are enough")
        }
        return mac
    }()
}
