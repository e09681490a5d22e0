// Reads {definition, cases} from standard input; each case has an input and each state's responses.
// Prints the findings of asl-validator and the result of each case.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { StateMachine } from "aws-local-stepfunctions";

const validate = createRequire(import.meta.url)("asl-validator");
const { definition, cases } = JSON.parse(readFileSync(0, "utf8"));

// A virtual clock that jumps to the next timer when nothing else is pending.
let now = 0;
let timers = [];
globalThis.setTimeout = (callback, milliseconds = 0, ...rest) => {
  const timer = { due: now + milliseconds, callback: () => callback(...rest) };
  timers.push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => {
  timers = timers.filter((other) => other !== timer);
};

async function passTime(until) {
  let isOver = false;
  until.finally(() => (isOver = true)).catch(() => {});
  while (!isOver) {
    await new Promise(setImmediate);
    const next = timers.reduce((a, b) => (b.due < a.due ? b : a), { due: Infinity });
    if (isOver || next.due === Infinity) continue;
    clearTimeout(next);
    now = next.due;
    next.callback();
  }
  timers = [];
}

async function interpret({ input, responses }) {
  const machine = new StateMachine(definition, { validationOptions: { noValidate: true } });
  const calls = [];
  const taskResourceLocalHandlers = {};
  for (const [state, inOrder] of Object.entries(responses)) {
    let next = 0;
    taskResourceLocalHandlers[state] = (event) => {
      calls.push([state, event]);
      const response = inOrder[Math.min(next++, inOrder.length - 1)];
      if (response.failure === "States.Timeout") return new Promise(() => {});
      if (response.failure) throw Object.assign(new Error("refused"), { name: response.failure });
      return structuredClone(response);
    };
  }
  const execution = machine.run(input, { overrides: { taskResourceLocalHandlers } });
  const entered = [];
  const watched = (async () => {
    for await (const event of execution.eventLogs) {
      if (event.type === "StateEntered") entered.push([event.state.name, event.state.input]);
    }
  })();
  await passTime(execution.result);
  let ended;
  try {
    ended = { status: "SUCCEEDED", output: await execution.result, error: null };
  } catch (error) {
    ended = { status: "FAILED", output: null, error: error.cause?.name ?? error.name };
  }
  await watched;
  return { ...ended, calls, entered };
}

const results = [];
for (const testCase of cases) results.push(await interpret(testCase));
console.log(JSON.stringify({ validation: validate(definition), results }));
