"""Runs one flow action by action: the executor's tool, then what came of it into memory."""

from . import executor
from .memory import CLAUSE_TOOLS, GLOBAL_TOOLS, Memory
from .world import ToolError

_TOOLS = {name: getattr(executor, "return_items" if name == "return" else name) for name in (*GLOBAL_TOOLS, *CLAUSE_TOOLS)}
# The actions open to a flow, by its number of clauses: all of them, at every step.
_open = {}


def open_actions(clauses):
    """(name, tool, clause or None) of every action, in the planner's order."""
    if clauses not in _open:
        actions = [(name, _TOOLS[name], None) for name in GLOBAL_TOOLS]
        actions += [(name, _TOOLS[name], clause) for clause in range(clauses) for name in CLAUSE_TOOLS]
        _open[clauses] = actions
    return _open[clauses]


class Flow:
    """A flow of one task within a group. `rows` are the observations it has decided on, and the one it stands at."""

    __slots__ = ("number", "group", "memory", "rows", "_actions", "_steps_left")

    def __init__(self, number, group, world):
        self.number = number
        self.group = group
        self.memory = Memory(group.task.analysis, world)
        self.rows = []
        clauses = len(self.memory.clauses)
        self._actions = open_actions(clauses)
        self._steps_left = 8 + 4 * clauses

    def take(self, action):
        """Takes an action; returns whether the flow goes on."""
        name, tool, clause = self._actions[action]
        memory = self.memory
        state = None if clause is None else memory.clauses[clause]
        try:
            result = tool(memory, state)
        except ToolError:
            memory.last_failed = True
            if state is not None:
                state.last_failed = True
                state.errors += 1
            elif name == "auth_email" or name == "auth_name_zip":
                memory.auth_failed = True
        else:
            memory.last_failed = False
            self._remember(name, state, result)
        self._steps_left -= 1
        if name == "done" or name == "transfer" or self._steps_left == 0:
            return False
        for each in memory.clauses:
            if not each.written:
                return True
        return False

    def _remember(self, name, state, result):
        memory = self.memory
        if state is not None:
            state.last_failed = False
            if name == "get_order":
                memory.orders.add(state.order_id)
            elif name == "get_product":
                memory.products.update(product["product_id"] for product in result)
            else:
                state.written = True
        elif name == "get_user":
            memory.user_loaded = True
        elif name == "auth_email" or name == "auth_name_zip":
            memory.user_id = result

    def succeeded(self):
        """Whether it left behind the database that the task's gold calls leave behind."""
        return self.memory.database.changes() == self.group.task.gold
