public import GoHubCore

/// For dialogues in tests: what the hub's shells have added to an array of their own, as a result.
extension HubState {
    public mutating func receive(_ input: HubInput, now: MonotonicTime) -> [HubAction] {
        var actions: [HubAction] = []
        receive(input, now: now, into: &actions)
        return actions
    }

    public mutating func published(_ publication: Publication, now: MonotonicTime) -> [HubAction] {
        var actions: [HubAction] = []
        published(publication, now: now, into: &actions)
        return actions
    }

    public mutating func stored(
        _ publication: Publication, _ outcome: AppendOutcome, now: MonotonicTime
    ) -> [HubAction] {
        var actions: [HubAction] = []
        stored(publication, outcome, now: now, into: &actions)
        return actions
    }
}

extension SessionStateMachine {
    public mutating func received(
        _ text: UnsafeRawBufferPointer, now: MonotonicTime, at wallTime: WallTime
    ) -> [SessionAction] {
        var actions: [SessionAction] = []
        received(text, now: now, at: wallTime, into: &actions)
        return actions
    }

    public mutating func received(
        _ command: Command, now: MonotonicTime, at wallTime: WallTime
    ) -> [SessionAction] {
        var actions: [SessionAction] = []
        received(command, now: now, at: wallTime, into: &actions)
        return actions
    }

    public mutating func told(
        _ message: HubMessage, now: MonotonicTime, at wallTime: WallTime
    ) -> [SessionAction] {
        var actions: [SessionAction] = []
        told(message, now: now, at: wallTime, into: &actions)
        return actions
    }

    public mutating func received(binary message: UnsafeRawBufferPointer, now: MonotonicTime) -> [SessionAction] {
        var actions: [SessionAction] = []
        received(binary: message, now: now, into: &actions)
        return actions
    }

    public mutating func answered(
        _ transfer: UInt32, _ answer: TransferAnswer, now: MonotonicTime
    ) -> [SessionAction] {
        var actions: [SessionAction] = []
        answered(transfer, answer, now: now, into: &actions)
        return actions
    }
}
