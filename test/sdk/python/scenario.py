"""What the official Python packages must be able to do: scenario.py URL KEY PREFIX. Prints one JSON line per step."""

import json
import sys
import traceback

import anthropic
import openai

url, key, prefix = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""
oai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)
ant = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)
small, large = f"{prefix}demo-small", f"{prefix}demo-large"
place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
question = "What is the weather in Oslo?"


def openai_chat():
    reply = oai.chat.completions.create(model=small, messages=[{"role": "user", "content": "hello there"}])
    assert "hello there" in reply.choices[0].message.content
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens


def openai_chat_stream():
    stream = oai.chat.completions.create(
        model=small,
        messages=[{"role": "user", "content": "grüße 👋"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "grüße 👋" in text, text
    assert chunks[-1].usage.total_tokens > 0


def openai_tools():
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": place}}]
    messages = [{"role": "user", "content": question}]
    first = oai.chat.completions.create(model=small, messages=messages, tools=tools).choices[0].message
    call = first.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    messages += [first, {"role": "tool", "tool_call_id": call.id, "content": "rain, 4 °C"}]
    second = oai.chat.completions.create(model=small, messages=messages, tools=tools)
    assert "rain, 4 °C" in second.choices[0].message.content


def openai_responses():
    with oai.responses.stream(model=large, input="hello there", reasoning={"effort": "low"}) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert types[0] == "response.created" and types[-1] == "response.completed", types
    assert "hello there" in final.output_text
    whole = oai.responses.create(model=small, input="hello there")
    assert whole.status == "completed" and "hello there" in whole.output_text


def raises(error, work):
    try:
        work()
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


def ask_openai(model):
    return lambda: oai.chat.completions.create(model=prefix + model, messages=[{"role": "user", "content": "x"}])


def ask_anthropic(model):
    messages = [{"role": "user", "content": "x"}]
    return lambda: ant.messages.create(model=prefix + model, max_tokens=9, messages=messages)


def refusals():
    raises(openai.BadRequestError, ask_openai("demo-error-400"))
    raises(openai.NotFoundError, ask_openai("no-such-model"))
    raises(anthropic.BadRequestError, ask_anthropic("demo-error-400"))
    raises(anthropic.NotFoundError, ask_anthropic("no-such-model-either"))


def rate_limits():
    # A gateway rests an account that is out of quota: this step comes last.
    raises(openai.RateLimitError, ask_openai("demo-error-429"))
    raises(anthropic.RateLimitError, ask_anthropic("demo-error-429"))


def openai_embeddings_and_audio():
    data = oai.embeddings.create(model=f"{prefix}demo-embed", input=["a b", "a b"]).data
    assert len(data[0].embedding) == 256 and data[0].embedding == data[1].embedding
    said = oai.audio.transcriptions.create(model=f"{prefix}demo-transcribe", file=("note.wav", b"0" * 48000))
    assert "note.wav: 48000 bytes" in said.text, said.text


def openai_models():
    assert any(model.id.endswith("demo-small") for model in oai.models.list())


def anthropic_message():
    ask = {"model": small, "system": "be short", "messages": [{"role": "user", "content": "hello there"}]}
    reply = ant.messages.create(max_tokens=1000, **ask)
    assert "hello there" in reply.content[0].text and reply.stop_reason == "end_turn"
    assert ant.messages.count_tokens(**ask).input_tokens == reply.usage.input_tokens


def anthropic_stream():
    with ant.messages.stream(
        model=large,
        max_tokens=4000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": "grüße 👋"}],
    ) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert "grüße 👋" in final.content[1].text and final.content[0].signature


def anthropic_tools():
    tools = [{"name": "get_weather", "input_schema": place}]
    messages = [{"role": "user", "content": question}]
    first = ant.messages.create(model=small, max_tokens=1000, messages=messages, tools=tools)
    call = next(block for block in first.content if block.type == "tool_use")
    assert call.input == {"city": "Oslo"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain, 4 °C"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = ant.messages.create(model=small, max_tokens=1000, messages=messages, tools=tools)
    assert "rain, 4 °C" in second.content[0].text


steps = [
    openai_chat,
    openai_chat_stream,
    openai_tools,
    openai_responses,
    openai_embeddings_and_audio,
    openai_models,
    anthropic_message,
    anthropic_stream,
    anthropic_tools,
    refusals,
    rate_limits,
]
for step in steps:
    try:
        step()
        print(json.dumps({"step": step.__name__, "error": None}))
    except Exception:
        print(json.dumps({"step": step.__name__, "error": traceback.format_exc()[-1500:]}))
