package import GoHubCore

/// A state whose inputs append actions for its shell.
package protocol ActingState {
    associatedtype Action
}

extension HubState: ActingState {
    package typealias Action = HubAction
}

extension SessionStateMachine: ActingState {
    package typealias Action = SessionAction
}

extension ActingState {
    /// For dialogues: the actions of one input.
    ///
    /// ```swift
    /// #expect(state.actions { $0.joined(request, now: now, into: &$1) } == […])
    /// ```
    package mutating func actions(_ input: (inout Self, inout [Action]) -> Void) -> [Action] {
        var actions: [Action] = []
        input(&self, &actions)
        return actions
    }
}
