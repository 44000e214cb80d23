from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "provisioning"
    verbose_name = "Provisioning"

    def ready(self) -> None:
        from devices.hooks import on_activation
        from provisioning.services.confirmation import confirm_by_connection

        on_activation(confirm_by_connection)
