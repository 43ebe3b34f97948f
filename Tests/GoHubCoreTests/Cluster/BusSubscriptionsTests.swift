import GoHubTestSupport
import Testing

@testable import GoHubCore

/// A shard's subscriptions, from the request to the confirmation, over links that come and go.
struct BusSubscriptionsTests {
    private let lobby = ClusterTopic.room(.lobby)
    private let kitchen = ClusterTopic.room(.named("kitchen"))
    private let alice = ClusterTopic.user(UserKey(tenant: .standard, user: .alice))

    /// Subscriptions on a link that had nothing to confirm.
    private func makeLinked() -> BusSubscriptions {
        var subscriptions = BusSubscriptions()
        subscriptions.restored([])
        #expect(subscriptions.completed() == true)
        return subscriptions
    }

    @Test func nobodyWaitsWithoutLink() {
        var subscriptions = BusSubscriptions()
        #expect(subscriptions.want(lobby) == .goOn)
        #expect(subscriptions.count == 0)
        #expect(!subscriptions.isLinked)
        #expect(!subscriptions.isComplete)
    }

    @Test func topicIsRequestedOnceAndAwaitedUntilItsConfirmation() {
        var subscriptions = makeLinked()
        #expect(subscriptions.want(lobby) == .wait(mustSubscribe: true))
        #expect(subscriptions.want(lobby) == .wait(mustSubscribe: false))
        #expect(subscriptions.confirmed(lobby) == .confirmed)
        #expect(subscriptions.want(lobby) == .goOn)
        #expect(subscriptions.confirmed(lobby) == .unknown)
    }

    @Test func confirmedTopicIsUnsubscribedFromWhenDropped() {
        var subscriptions = makeLinked()
        _ = subscriptions.want(lobby)
        _ = subscriptions.confirmed(lobby)
        #expect(subscriptions.drop(lobby) == true)
        #expect(subscriptions.drop(lobby) == false)
        #expect(subscriptions.want(lobby) == .wait(mustSubscribe: true))
    }

    /// Otherwise its confirmation could be taken for that of a later request.
    @Test func droppedTopicStaysUntilItsConfirmation() {
        var subscriptions = makeLinked()
        _ = subscriptions.want(lobby)
        #expect(subscriptions.drop(lobby) == false)
        #expect(subscriptions.count == 1)
        #expect(subscriptions.confirmed(lobby) == .unwanted)
        #expect(subscriptions.count == 0)
    }

    @Test func droppedTopicIsWantedAgainBeforeItsConfirmation() {
        var subscriptions = makeLinked()
        _ = subscriptions.want(lobby)
        _ = subscriptions.drop(lobby)
        #expect(subscriptions.want(lobby) == .wait(mustSubscribe: false))
        #expect(subscriptions.confirmed(lobby) == .confirmed)
    }

    @Test func linkIsCompleteWhenAllItsTopicsAreConfirmed() {
        var subscriptions = BusSubscriptions()
        subscriptions.restored([lobby, alice])
        #expect(subscriptions.isLinked)
        #expect(subscriptions.completed() == false)
        #expect(subscriptions.confirmed(lobby) == .confirmed)
        #expect(subscriptions.completed() == false)
        #expect(!subscriptions.isComplete)
        #expect(subscriptions.confirmed(alice) == .confirmed)
        #expect(subscriptions.completed() == true)
        #expect(subscriptions.isComplete)
        // Only once.
        #expect(subscriptions.completed() == false)
    }

    @Test func repeatedTopicIsConfirmedOnce() {
        var subscriptions = BusSubscriptions()
        subscriptions.restored([lobby, lobby])
        #expect(subscriptions.confirmed(lobby) == .confirmed)
        #expect(subscriptions.completed() == true)
    }

    /// The rooms from before are compared with the store when all of them are heard, and not sooner.
    @Test func laterTopicDoesNotCompleteTheLink() {
        var subscriptions = BusSubscriptions()
        subscriptions.restored([lobby])
        #expect(subscriptions.want(kitchen) == .wait(mustSubscribe: true))
        #expect(subscriptions.confirmed(kitchen) == .confirmed)
        #expect(subscriptions.completed() == false)
        #expect(subscriptions.confirmed(lobby) == .confirmed)
        #expect(subscriptions.completed() == true)
    }

    @Test func topicThatWasDroppedMeanwhileCompletesTheLink() {
        var subscriptions = BusSubscriptions()
        subscriptions.restored([lobby, alice])
        #expect(subscriptions.drop(lobby) == false)
        #expect(subscriptions.confirmed(lobby) == .unwanted)
        _ = subscriptions.confirmed(alice)
        #expect(subscriptions.completed() == true)
    }

    @Test func lostLinkForgetsAllTopics() {
        var subscriptions = makeLinked()
        _ = subscriptions.want(lobby)
        _ = subscriptions.want(alice)
        _ = subscriptions.confirmed(alice)
        subscriptions.lost()
        #expect(subscriptions.count == 0)
        #expect(!subscriptions.isLinked)
        #expect(subscriptions.completed() == false)
        // The answer of the lost link is late.
        #expect(subscriptions.confirmed(lobby) == .unknown)
        #expect(subscriptions.drop(alice) == false)
        #expect(subscriptions.want(alice) == .goOn)
    }
}
