"""Save and restore the state of a model: around an evaluation, and for a reset of a training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy, deepcopy
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.random import fork_rng

from mnist_widgets.training.devices import device_of

_CONTAINERS = (dict, OrderedDict, list, set)
# Another thread may add or remove hooks in the meantime, so they are not restored.
_HOOKS = {*vars(nn.Module())} - {"_parameters", "_buffers", "_modules"}


_Container: TypeAlias = dict[Any, Any] | list[Any] | set[Any]


class ModuleState:
    """The state of modules except the values of their parameters.

    This includes modes, buffers, lazy parameters without a shape, and attributes (also the content
    of lists, dicts and sets, one level deep).
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = [_OneModule(module) for module in modules]

    def restore(self) -> None:
        """Restore the modules; lazy parameters lose a shape that they got in the meantime.

        Attributes are restored only if a module stores other tensors than before, because a flag or
        a size may belong to a tensor. Otherwise they stay, for example a count of calls.
        """
        with_attributes = any(module.stores_other_tensors() for module in self._modules)
        for module in self._modules:
            module.restore(with_attributes)


class _OneModule:
    def __init__(self, module: nn.Module) -> None:
        self._module, self._class, self._mode = module, type(module), module.training
        attributes = vars(module)
        self._lazy = [(tensor, type(tensor)) for tensor in _tensors_of(module) if is_lazy(tensor)]
        ignored = () if self._lazy else _HOOKS  # a lazy module removes its hooks itself
        self._containers = [
            (value, copy(value))
            for name, value in attributes.items()
            if type(value) in _CONTAINERS and name not in ignored
        ]
        self._attributes = dict(attributes)
        self._kept = set(_find_tensors(attributes.values()))
        self._buffers = [
            (buffer, buffer.clone())
            for buffer in module.buffers(recurse=False)
            if not is_lazy(buffer) and buffer.layout is torch.strided
        ]

    def stores_other_tensors(self) -> bool:
        return set(_find_tensors(vars(self._module).values())) != self._kept

    def restore(self, with_attributes: bool) -> None:
        module = self._module
        if type(module) is not self._class:
            module.__class__ = self._class
        if with_attributes or self._lazy:
            for container, content in ((vars(module), self._attributes), *self._containers):
                _restore_container(container, content)
        module.training = self._mode
        with torch.no_grad():
            for buffer, values in self._buffers:
                if not buffer.equal(values):
                    buffer.copy_(values)
        for tensor, lazy_class in self._lazy:
            if type(tensor) is lazy_class:
                continue  # it has no shape yet
            # the reverse of `materialize`, also in place: optimizers refer to this object
            tensor.grad = None
            tensor.data = tensor.data.new_empty(0)
            tensor.__class__ = lazy_class


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set `model` to evaluation mode, without gradients, within this context.

    The end restores each module's mode, buffers, stored tensors and lazy parameters. Lazy layers
    draw their first weights in this context; afterwards the random generators are restored.
    """
    device = device_of(model)
    state = ModuleState(model.modules())
    # Only if needed: another thread that draws meanwhile would get the same numbers again.
    draws = any(map(is_lazy, chain(model.parameters(), model.buffers())))
    fork = fork_rng([device] if device.type == "cuda" else []) if draws else nullcontext()
    try:
        # not inference_mode: a tensor that a model stores there could not be used in training
        with torch.no_grad(), fork:
            model.eval()
            yield
    finally:
        state.restore()


@contextmanager
def predicting(model: nn.Module) -> Iterator[torch.device]:
    """Let a model predict in evaluation mode, and leave it and torch's random generators unchanged.

    Yields:
        Its device.
    """
    device = device_of(model)
    with fork_rng([device] if device.type == "cuda" else []), evaluating(model):
        yield device


class Snapshot:
    """Copies of a model's and an optimizer's state, independent of the originals.

    Attributes:
        model: Its state dict, without lazy parameters that have no shape yet.
        optimizer: Its state dict.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        state = model.state_dict()
        for name in [name for name, value in state.items() if is_lazy(value)]:
            del state[name]
        self.model, self.optimizer = deepcopy(state), deepcopy(optimizer.state_dict())
        lazy = [module for module in model.modules() if any(map(is_lazy, _tensors_of(module)))]
        self._has_all = not lazy
        self._lazy_modules = ModuleState(lazy)

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Restore both exactly and clear the gradients."""
        self._lazy_modules.restore()
        model.load_state_dict(self.model, strict=self._has_all)
        # a copy, because the optimizer uses the tensors of its state dict and changes them
        optimizer.load_state_dict(deepcopy(self.optimizer))
        optimizer.zero_grad()


def _tensors_of(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


def _find_tensors(values: Iterable[object]) -> Iterator[int]:
    """Yield the ids of tensors and modules, also of those in containers."""
    for value in values:
        items: Iterable[object] = value if isinstance(value, (list, tuple, set)) else [value]
        if isinstance(value, dict):
            items = value.values()
        yield from (id(item) for item in items if isinstance(item, (Tensor, nn.Module)))


def _restore_container(container: _Container, content: _Container) -> None:
    """Restore the same objects as in `content`; what it has already stays in place."""
    if isinstance(container, list):
        container[:] = content
        return
    for name in set(container) - set(content):
        container.discard(name) if isinstance(container, set) else container.pop(name)
    container.update(content)
