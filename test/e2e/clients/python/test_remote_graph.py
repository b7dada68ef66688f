"""`RemoteGraph` of the package `langgraph`: a graph of the server as one of Python's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command
from langgraph_sdk.errors import NotFoundError

from expectations import NOBODY, collect, refused
from uniform import Client, Resource

TEXT = {"text": "a bc"}
TOTAL = {"text": "a bc", "lengths": [1, 2], "total": 3}
QUESTION = "Send this letter?"


def remote(client: Client, name: str) -> RemoteGraph:
    key = "client" if client.kind == "async" else "sync_client"
    return RemoteGraph(name, **{key: client.native})


@pytest.fixture
def graph(client: Client) -> Callable[[str], Any]:
    """Both kinds under the names of the sync one, and recorded under them."""
    prefix = "a" if client.kind == "async" else ""

    def graph(name: str) -> Any:
        target = remote(client, name)
        return Resource(target, "RemoteGraph", client.record, prefix=prefix)

    return graph


def on(thread_id: str, **configurable: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread_id, **configurable}}


@pytest.fixture
def thread_id() -> str:
    """Of a thread that is made by its first run."""
    return str(uuid4())


async def test_a_graph_is_drawn(client: Client, graph: Callable[[str], Any]):
    drawn = await graph("trip").get_graph()
    assert [*drawn.nodes] == ["__start__", "choose", "booking", "summarize", "__end__"]
    assert drawn.edges[0].source == "__start__"
    opened = await graph("trip").get_graph(xray=True)
    assert "booking:search" in opened.nodes
    with refused(NotFoundError, "Assistant not found"):
        await graph("nobody").get_graph()


async def test_a_graph_is_invoked_with_a_thread_and_without(
    client: Client, graph: Callable[[str], Any], thread_id: str
):
    assert await graph("fan-out").invoke(TEXT) == TOTAL
    assert await graph("fan-out").invoke(TEXT, on(thread_id)) == TOTAL
    thread = await client.threads.get(thread_id)
    assert (thread["values"], thread["metadata"]["graph_id"]) == (TOTAL, "fan-out")
    output = await graph("fan-out").invoke(
        TEXT,
        config={"tags": ["a"], "recursion_limit": 9, "metadata": {"a": 1}},
        context={"language": "en"},
        interrupt_before=["nothing"],
        interrupt_after=["nothing"],
        version="v2",
    )
    assert output.value == TOTAL


async def test_a_graph_that_fails_raises(client: Client, graph: Callable[[str], Any]):
    with pytest.raises(RemoteException) as caught:
        await graph("throws").invoke({"kind": "custom"})
    assert caught.value.args == ({"error": "CustomError", "message": "Boo!"},)
    with pytest.raises(NotFoundError):
        await graph("nobody").invoke({})


async def test_a_question_is_answered_with_a_command(
    client: Client, graph: Callable[[str], Any], thread_id: str
):
    approval = graph("approval")
    output = await approval.invoke({"to": "Ada"}, on(thread_id), version="v2")
    [interrupt] = output.interrupts
    assert interrupt.value["question"] == QUESTION
    values = await approval.invoke(Command(resume="yes"), on(thread_id))
    assert values["log"] == ["written", "approved", "sent"]


async def test_a_graph_streams_in_every_shape(
    client: Client, graph: Callable[[str], Any]
):
    fan_out = graph("fan-out")
    updates = [
        {"measure": {"lengths": [1]}},
        {"measure": {"lengths": [2]}},
        {"sum": {"total": 3}},
    ]
    assert await collect(fan_out.stream(TEXT)) == updates
    both = await collect(fan_out.stream(TEXT, stream_mode=["updates", "values"]))
    assert [part.data for part in both if part.event == "updates"] == updates
    assert [part.data for part in both if part.event == "values"][-1] == TOTAL
    typed = await collect(fan_out.stream(TEXT, stream_mode="values", version="v2"))
    assert typed[-1] == {"type": "values", "ns": (), "data": TOTAL, "interrupts": ()}
    cut = await collect(fan_out.stream(TEXT, interrupt_before=["sum"]))
    assert cut[:2] == updates[:2]
    assert {"sum": {"total": 3}} not in cut
    messages = await collect(
        graph("agent").stream(
            {"messages": [{"role": "user", "content": "hello"}]},
            stream_mode="messages",
        )
    )
    message, metadata = messages[-1]
    assert message["type"] in ("ai", "AIMessageChunk")
    assert metadata["langgraph_node"] == "agent"


async def test_subgraphs_stream_with_their_namespace(
    client: Client, graph: Callable[[str], Any]
):
    parts = await collect(
        graph("trip").stream(
            {"wish": "a day in Faro"}, stream_mode="updates", subgraphs=True
        )
    )
    [(namespace, update)] = [part for part in parts if "search" in part[1]]
    assert namespace[0].startswith("booking:")
    assert update == {"search": {"train": "the 9:30 to Faro"}}


async def test_a_state_is_read_with_its_tasks_and_subgraphs(
    client: Client, graph: Callable[[str], Any], thread_id: str
):
    trip = graph("trip")
    await trip.invoke({"wish": "a day in Faro"}, on(thread_id))
    state = await trip.get_state(on(thread_id))
    assert (state.next, state.values["city"]) == (("booking",), "Faro")
    [task] = state.tasks
    assert task.interrupts[0].value == {"question": "Which seat on the 9:30 to Faro?"}
    namespace = task.state["configurable"]["checkpoint_ns"]
    assert namespace == f"booking:{task.id}"
    assert state.config["configurable"]["thread_id"] == thread_id
    assert state.parent_config["configurable"]["checkpoint_id"]
    nested = await trip.get_state(on(thread_id), subgraphs=True)
    inner = nested.tasks[0].state
    assert inner.next == ("book",)
    assert await trip.get_state(on(thread_id, checkpoint_ns=namespace)) == inner
    # By its config a state is found again.
    assert await trip.get_state(state.config) == state
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await trip.get_state(on(NOBODY))


async def test_a_history_is_read_with_every_option(
    client: Client, graph: Callable[[str], Any], thread_id: str
):
    fan_out = graph("fan-out")
    await fan_out.invoke(TEXT, on(thread_id))

    async def history(**options: Any) -> list[Any]:
        return await collect(fan_out.get_state_history(on(thread_id), **options))

    every = await history()
    assert [state.next for state in every] == [
        (),
        ("sum",),
        ("measure", "measure"),
        ("__start__",),
    ]
    assert await history(limit=2) == every[:2]
    assert await history(before=every[1].config) == every[2:]
    assert await history(filter={"source": "input"}) == every[3:]
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await collect(fan_out.get_state_history(on(NOBODY)))


async def test_a_state_is_updated(
    client: Client, graph: Callable[[str], Any], thread_id: str
):
    approval = graph("approval")
    await approval.invoke({"to": "Ada"}, on(thread_id))
    config = await approval.update_state(
        on(thread_id), {"letter": "Short."}, as_node="write"
    )
    state = await approval.get_state(on(thread_id))
    assert state.config == config
    assert state.values["letter"] == "Short."
    # Of an earlier state: a branch.
    earlier = await collect(approval.get_state_history(on(thread_id)))
    fork = await approval.update_state(earlier[-2].config, {"to": "Bea"})
    branch = await approval.get_state(on(thread_id))
    assert (branch.config, branch.values["to"]) == (fork, "Bea")
    with refused(NotFoundError, f"Thread {NOBODY} not found"):
        await approval.update_state(on(NOBODY), {})


async def test_a_graph_is_a_node_of_a_graph_in_python(client: Client, thread_id: str):
    class Letter(TypedDict, total=False):
        to: str
        letter: str
        log: list[str]

    parent = (
        StateGraph(Letter)
        .add_node("write", remote(client, "approval"))
        .add_edge(START, "write")
        .compile(checkpointer=InMemorySaver())
    )
    if client.kind == "async":
        values = await parent.ainvoke({"to": "Ada"}, on(thread_id))
    else:
        values = parent.invoke({"to": "Ada"}, on(thread_id))
    # What the server asks is asked by the parent.
    [interrupt] = values["__interrupt__"]
    assert interrupt.value["question"] == QUESTION
