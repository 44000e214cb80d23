from django.urls import path

from provisioning.api import views

urlpatterns = [
    path("codes", views.CodesView.as_view(), name="codes"),
    path("confirm", views.ConfirmView.as_view(), name="confirm"),
    path("poll", views.PollView.as_view(), name="poll"),
]
