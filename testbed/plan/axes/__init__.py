"""The one table of what a sweep can vary. Whatever else knows an axis is made of its entry here, by name.

That is: the key in the sweep file and in `exclude`, the crossed cells, the plan as printed, the columns, the tables,
the words of the report, what `compare` joins on, the form that Locust is sent, and a run from the web page. A new axis
is an entry in the file here that has its section, a field of `cell.Cell`, and what takes it: a field of Locust's form
(`form`), or the stack, which reads the cell. A line in its section in `sections` is for code that reads a sweep's
values of it by name.
"""

from testbed.plan.axes import front, load, mappings, replicas, server, workload
from testbed.plan.axis import Axis

# In the order of a cell's fields, which is the order in which the plan crosses them: the last changes first.
AXES: tuple[Axis, ...] = (
    *server.AXES,
    *workload.AXES,
    *load.AXES,
    *replicas.AXES,
    *front.AXES,
    *replicas.SIDECAR,
    *front.GATEWAY,
    load.DNS,
    *mappings.AXES,
    load.AT,
)

BY_FIELD: dict[str, Axis] = {axis.field: axis for axis in AXES}
FIELDS: tuple[str, ...] = tuple(BY_FIELD)
OF_MODEL: tuple[str, ...] = tuple(axis.field for axis in AXES if axis.of_model)
