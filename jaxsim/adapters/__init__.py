"""The store behind the interfaces of other libraries; each adapter needs the extra of its name.

`jaxsim.make(name, interface=...)` makes them. Their settings: `task`, who decides what (see
`jaxsim.adapters.task.Task`); `periods` until truncation; `normalised` for PettingZoo;
`autoreset_mode` for Gymnasium's batches.
"""
