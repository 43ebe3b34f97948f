"""Checks the results of edits, deletions and reactions. Part of the checker: each check is a function of the record."""

from record import Joined, Loaded

EDITED, DELETED, REACTION = "edited", "deleted", "reaction"
NAMED_MAX = 5  # users of a reaction


class Fold:
    """A message after the changes of a history have been applied to it."""

    def __init__(self, text):
        self.text = text
        self.texts = {text}  # every text that it has had
        self.edited = self.deleted = None
        self.reactions = {}  # reaction: (count, users), in the order of their first use

    def take(self, entry, sent):
        change = entry.change
        if change.op == EDITED:
            self.text, self.edited = sent.text, entry.offset
            self.texts.add(sent.text)
        elif change.op == DELETED:
            self.text, self.edited, self.deleted, self.reactions = None, None, entry.offset, {}
        else:
            users = [user for user in self.reactions.get(change.reaction, (0, ()))[1] if user != entry.user]
            if not change.removed and len(users) < NAMED_MAX:
                users.append(entry.user)
            self.reactions[change.reaction] = (change.count, tuple(users))
            if change.count == 0:
                del self.reactions[change.reaction]

    @property
    def state(self):
        reactions = tuple((reaction, *rest) for reaction, rest in self.reactions.items())
        return (self.edited, self.deleted, reactions)


def folded(record, room, history):
    """Each message by its offset, and the violations found in its changes."""
    messages, wrong = {}, []
    given = {}  # (target, reaction): users
    for entry in history.forward:
        sent = record.sent.get((room, entry.user, entry.id))
        if sent is None:
                continue  # reported by another check
        if entry.change is None:
            messages[entry.offset] = Fold(sent.text)
            continue
        name, change = f"{room}: {entry.offset}", entry.change
        target = messages.get(change.of)
        if target is None or target.deleted is not None:
            wrong.append(f"{name} is {change.op} of {change.of}, where no message is")
            continue
        author = history.forward[change.of - 1].user
        if change.op != REACTION and author != entry.user:
            wrong.append(f"{name} is {change.op} of {change.of} by {entry.user}, and the message is {author}'s")
        if change.op == REACTION:
            users = given.setdefault((change.of, change.reaction), set())
            if (entry.user in users) != change.removed:
                wrong.append(f"{name} changes nothing")
            (users.discard if change.removed else users.add)(entry.user)
            if change.count != len(users):
                wrong.append(f"{name} counts {change.count} of {len(users)}")
        target.take(entry, sent)
    return messages, wrong


def changes(record):
    """Every stored change was requested, and readers get messages with all changes applied."""
    for room, history in record.histories.items():
        messages, wrong = folded(record, room, history)
        for sentence in wrong:
            yield "change", sentence
        for entry in history.forward:
            sent = record.sent.get((room, entry.user, entry.id))
            if sent is None:
                continue
            name = f"{room}: {entry.offset}"
            wanted = sent.request and (sent.request["op"], sent.request["offset"], sent.request.get("reaction"))
            ops = {EDITED: "edit", DELETED: "delete", REACTION: "react"}
            found = entry.change and (ops[entry.change.op], entry.change.of, entry.change.reaction)
            if wanted != found or (found and sent.request.get("remove", False) != entry.change.removed):
                yield "change", f"{name} is {found}, and {entry.user} wanted {wanted}"
            elif entry.change is None:
                fold = messages[entry.offset]
                if entry.state == fold.state and entry.text != fold.text:
                    yield "text", f"{name} has another text than its changes come to"
                elif entry.state != fold.state:
                    yield "change", f"{name} stands at {entry.state}, and its changes come to {fold.state}"
            elif entry.change.op == EDITED and entry.change.of in messages:
                if entry.text != messages[entry.change.of].text:
                    yield "change", f"{name} shows another text than its message has"
        yield from shown(record, room, messages)


def shown(record, room, messages):
    """No client was shown a text that a message never had, or a text that was already deleted."""
    for (client, other), events in record.views.items():
        if other != room:
            continue
        for event in events:
            head = event.offset if isinstance(event, (Joined, Loaded)) else 0
            for entry in event.messages if isinstance(event, (Joined, Loaded)) else (event.message,):
                offset = entry.change.of if entry.change and entry.change.op == EDITED else entry.offset
                fold = messages.get(offset)
                if entry.text is None or fold is None:
                    continue
                name = f"{client} was shown at {entry.offset} of {room}"
                if entry.text not in fold.texts:
                    yield "text", f"{name} a text that was never sent"
                elif fold.deleted is not None and fold.deleted <= head:
                    yield "deleted text", f"{name} a text that was deleted at {fold.deleted}, up to {head}"
