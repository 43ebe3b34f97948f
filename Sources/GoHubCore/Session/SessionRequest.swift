/// A session's request to what an embedder supplies: the token verifier or the file store.
package enum SessionRequest: Equatable, Sendable {
    case verify(token: String)
    /// For the transfer with this number.
    case transfer(UInt32, TransferRequest)
}

/// The answer, for `SessionStateMachine.answered`.
package enum SessionAnswer: Sendable {
    case verified(Result<Credentials, TokenError>)
    case transferred(UInt32, TransferAnswer)
}

extension SessionContext {
    /// Performs a session's request without blocking.
    ///
    /// - Parameters:
    ///   - request: a `SessionAction.ask`, or the verification of a handshake's token.
    ///   - verifier: without one, every token is refused.
    ///   - answer: called once, on any thread, possibly before the call returns. Never called for a transfer without a
    ///     file store; a session starts none then.
    package func perform(
        _ request: SessionRequest, verifier: (any TokenVerifier)?, answer: @escaping @Sendable (SessionAnswer) -> Void
    ) {
        switch request {
        case .verify(let token):
            Task {
                let result: Result<Credentials, TokenError>
                do throws(TokenError) {
                    guard let verifier else {
                        throw TokenError(.keysUnavailable, "This hub has no key to verify tokens.")
                    }
                    result = .success(try await verifier.verify(token))
                } catch {
                    result = .failure(error)
                }
                answer(.verified(result))
            }
        case .transfer(let transfer, let request): files?.perform(request) { answer(.transferred(transfer, $0)) }
        }
    }

    /// Releases the contents of an answer whose session has ended.
    package func discard(_ answer: SessionAnswer) {
        if case .transferred(_, .begun(.success(.open(_, let lease)))) = answer { files?.release(lease) }
    }
}
