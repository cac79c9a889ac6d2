"""Lets the bench run operations of a Python engine: `python3 worker.py ENGINE.py THREADS`.

One JSON object per line. The first line out says which engine this is, {"name", "version", "threads"}, or {"error"}. Then each
line in is answered by one line out, {"error"} if it failed:
  {"do": "start", "operation", "problem", "inputs", "arrays"} -> {"runs": [{"id", "form"}]}
  {"do": "run", "id"} -> {}, when the work is done
  {"do": "read", "id", "path"} -> {}, with the result in the file
  {"do": "release", "id"} -> {}
`inputs` is a file of float32 numbers: the arrays of the problem behind one another, `arrays` their names and lengths.

An engine is a file with NAME, version(), set_threads(n) -> the number in use, and for each operation that it has a function of
the problem that returns a list of (form, run, read); read() returns the float32 result as bytes.
"""

import importlib.util
import json
import os
import sys
from array import array
from types import SimpleNamespace


def load_problem(request):
    problem = dict(request["problem"])
    with open(request["inputs"], "rb") as file:
        for name, count in request["arrays"]:
            values = array("f")
            values.fromfile(file, count)
            problem[name] = values
    return SimpleNamespace(**problem)


def one_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def main():
    engine_path, threads = sys.argv[1], int(sys.argv[2])
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")

    try:
        spec = importlib.util.spec_from_file_location("engine", engine_path)
        engine = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(engine)
        answer({"name": engine.NAME, "version": engine.version(), "threads": engine.set_threads(threads)})
    except Exception as error:
        answer({"error": one_line(error)})
        return

    runs = {}
    started = 0
    for line in sys.stdin:
        request = json.loads(line)
        do = request["do"]
        try:
            if do == "start":
                created = []
                for form, run, read in getattr(engine, request["operation"])(load_problem(request)):
                    runs[started] = (run, read)
                    created.append({"id": started, "form": form})
                    started += 1
                answer({"runs": created})
            elif do == "run":
                runs[request["id"]][0]()
                answer({})
            elif do == "read":
                with open(request["path"], "wb") as file:
                    file.write(runs[request["id"]][1]())
                answer({})
            elif do == "release":
                del runs[request["id"]]
                answer({})
            else:
                answer({"error": f"unknown request {do}"})
        except Exception as error:
            answer({"error": one_line(error)})


main()
