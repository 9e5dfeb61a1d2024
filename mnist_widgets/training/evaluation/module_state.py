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
    """Copies of the state of a model, an optimizer and a loss function, independent of them.

    Attributes:
        model: The model's state dict, without lazy parameters that have no shape yet.
        optimizer: Its state dict.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, loss_fn: object = None) -> None:
        self._copies = [_ModuleCopy(module) for module in _find_modules(model, loss_fn)]
        self.model, self.optimizer = self._copies[0].state, deepcopy(optimizer.state_dict())
        groups = getattr(optimizer, "param_groups", [])
        self._groups = [list(group["params"]) for group in groups]

    def check_fits(self, model: nn.Module, loss_fn: object = None) -> None:
        """Check that a model and a loss function have the modules' parameters of the snapshot.

        Raises:
            RuntimeError: One has others.
        """
        modules = _find_modules(model, loss_fn)
        if not all(map(_ModuleCopy.fits, self._copies, modules)):
            raise RuntimeError(
                "The model, or the loss function, has other layers or parameters than at the "
                "beginning, so it cannot be reset. Make a new model, optimizer and trainer."
            )

    def restore(self, model: nn.Module, optimizer: Optimizer, loss_fn: object = None) -> None:
        """Restore all exactly, parameter groups included, and clear the gradients.

        Raises:
            RuntimeError: A module has other parameters than then; nothing has changed.
        """
        self.check_fits(model, loss_fn)
        for copied, module in zip(self._copies, _find_modules(model, loss_fn), strict=False):
            copied.restore(module)
        groups = getattr(optimizer, "param_groups", [])
        del groups[len(self._groups) :]  # those that `add_param_group` added
        groups.extend({} for _ in self._groups[len(groups) :])
        for group, parameters in zip(groups, self._groups, strict=False):
            group["params"] = list(parameters)
        # a copy, because the optimizer uses the tensors of its state dict and changes them
        optimizer.load_state_dict(deepcopy(self.optimizer))
        optimizer.zero_grad()


class _ModuleCopy:
    """A copy of a module's parameters, buffers and lazy layers, and which parameters learn."""

    def __init__(self, module: nn.Module) -> None:
        state = module.state_dict()
        for name in [name for name, value in state.items() if is_lazy(value)]:
            del state[name]
        self.state = deepcopy(state)
        self._parameters = dict(module.named_parameters())
        self._learn = {name: each.requires_grad for name, each in self._parameters.items()}
        self._other_buffers = {
            name: buffer.clone()
            for name, buffer in module.named_buffers()
            if name not in state and not is_lazy(buffer)
        }
        lazy = [each for each in module.modules() if any(map(is_lazy, _tensors_of(each)))]
        self._has_all = not lazy
        self._lazy_modules = ModuleState(lazy)

    def fits(self, module: nn.Module) -> bool:
        """Return whether the module has the same parameters, and state of the same shapes."""
        state, parameters = module.state_dict(), dict(module.named_parameters())
        return (
            parameters.keys() == self._parameters.keys()
            and all(parameters[name] is each for name, each in self._parameters.items())
            and (state.keys() == self.state.keys() or not self._has_all)
            and all(
                name in state
                and getattr(state[name], "shape", None) == getattr(value, "shape", None)
                for name, value in self.state.items()
            )
        )

    def restore(self, module: nn.Module) -> None:
        self._lazy_modules.restore()
        module.load_state_dict(self.state, strict=self._has_all)
        module.zero_grad()
        for name, parameter in self._parameters.items():
            parameter.requires_grad = self._learn[name]  # a method fails on lazy ones
        for name, values in self._other_buffers.items():  # not persistent
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, values.to(device_of(module), copy=True))


def _find_modules(model: nn.Module, loss_fn: object) -> list[nn.Module]:
    return [model, loss_fn] if isinstance(loss_fn, nn.Module) else [model]


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
