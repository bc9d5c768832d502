"""Products: what is sold."""

from __future__ import annotations

from typing import Unpack

from salescrm.entities import Product
from salescrm.events import ProductAdded, ProductEdited
from salescrm.services.base import Service
from salescrm.services.fields import ProductFields
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["ProductService"]


class ProductService(Service[Product]):
    """What is sold."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Product)

    def create(self, **fields: Unpack[ProductFields]) -> Product:
        """A new product."""
        product = self.build(fields, id=self.given_id(fields))
        return self.records.add(product, ProductAdded(record_id=product.id))

    def edit(self, product: Product | Id, **changes: Unpack[ProductFields]) -> Product:
        """*product* with *changes*."""
        before = self.read(product)
        return self.records.save(before, self.evolve(before, changes), edited=ProductEdited)

    def retire(self, product: Product | Id) -> Product:
        """*product* is no longer sold; what was sold stays as it is."""
        return self.edit(product, status="retired")
