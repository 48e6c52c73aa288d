"""A conversation of 20 tool calls with each official Python client: twenty_steps.py URL KEY MODEL.

Every other turn streams: both ways of answering must leave the same conversation. Prints one JSON line per client.
"""

import json
import sys
import traceback

import anthropic
import openai

url, key, model = sys.argv[1:4]
oai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60)
ant = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=60)
rounds = 20
note = "grüße 👋 \\ \n tab"
question = f'Use the record_step tool {rounds} times with "{note}", then tell me what it said.'
schema = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}


def result_of(number):
    return f'result {number}: “ok” {{"n":{number}}} 👋 \\u0041 \n'


def with_chat():
    ids, answer = [], ""
    tools = [{"type": "function", "function": {"name": "record_step", "parameters": schema}}]
    messages = [{"role": "user", "content": question}]
    for number in range(1, rounds + 2):
        ask = {"model": model, "messages": messages, "tools": tools}
        if number % 2 == 0:
            reply = oai.chat.completions.create(**ask)
        else:
            with oai.chat.completions.stream(**ask) as stream:
                for _ in stream:
                    pass
                reply = stream.get_final_completion()
        choice = reply.choices[0]
        if not choice.message.tool_calls:
            assert choice.finish_reason == "stop", choice.finish_reason
            answer = choice.message.content
            break
        [call] = choice.message.tool_calls
        assert (choice.finish_reason, call.function.name) == ("tool_calls", "record_step")
        assert json.loads(call.function.arguments) == {"note": note}, call.function.arguments
        ids.append(call.id)
        messages += [
            choice.message.model_dump(exclude_none=True, exclude={"parsed"}),
            {"role": "tool", "tool_call_id": call.id, "content": result_of(number)},
        ]
    return ids, answer


def with_responses():
    ids, answer = [], ""
    tools = [{"type": "function", "name": "record_step", "parameters": schema, "strict": False}]
    items = [{"role": "user", "content": question}]
    for number in range(1, rounds + 2):
        ask = {"model": model, "input": items, "tools": tools, "store": False}
        if number % 2 == 0:
            reply = oai.responses.create(**ask)
        else:
            with oai.responses.stream(**ask) as stream:
                for _ in stream:
                    pass
                reply = stream.get_final_response()
        assert reply.status == "completed", reply.status
        calls = [item for item in reply.output if item.type == "function_call"]
        if not calls:
            answer = reply.output_text
            break
        [call] = calls
        assert call.name == "record_step" and json.loads(call.arguments) == {"note": note}, call
        ids.append(call.call_id)
        kept = {"parsed_arguments", "parsed"}
        items += [item.model_dump(exclude_none=True, exclude=kept) for item in reply.output]
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": result_of(number)})
    return ids, answer


def with_messages():
    ids, answer = [], ""
    tools = [{"name": "record_step", "input_schema": schema}]
    messages = [{"role": "user", "content": question}]
    for number in range(1, rounds + 2):
        ask = {"model": model, "max_tokens": 2000, "messages": messages, "tools": tools}
        if number % 2 == 0:
            reply = ant.messages.create(**ask)
        else:
            with ant.messages.stream(**ask) as stream:
                reply = stream.get_final_message()
        calls = [block for block in reply.content if block.type == "tool_use"]
        if not calls:
            assert reply.stop_reason == "end_turn", reply.stop_reason
            answer = "".join(block.text for block in reply.content if block.type == "text")
            break
        [call] = calls
        assert (reply.stop_reason, call.name, call.input) == ("tool_use", "record_step", {"note": note}), call
        ids.append(call.id)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": result_of(number)}
        messages += [{"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]
    return ids, answer


for client in (with_chat, with_responses, with_messages):
    try:
        called, said = client()
        assert len(called) == rounds == len(set(called)), called
        assert said == f"Done. The last of {rounds} tool results said: {result_of(rounds).strip()}", said
        print(json.dumps({"step": client.__name__, "error": None}))
    except Exception:
        print(json.dumps({"step": client.__name__, "error": traceback.format_exc()[-1500:]}))
