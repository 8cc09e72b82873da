// The function app on Flex Consumption. Its settings follow in app-settings.bicep, when the sign-in is there.
param location string
param tags object

@description('Names of the app and of what it uses. That of the network is not read without one.')
param names { app: string, identity: string, storage: string, network: string, *: string }

@description('How the app is reached. Pages of the origins may call it from browsers.')
param access { network: bool, public: bool, corsOrigins: string[] }

param scale {
  instanceMemoryMB: int
  maximumInstanceCount: int
  alwaysReadyInstances: int
  httpConcurrency: int
  zoneRedundant: bool
}

@description('How running instances are replaced: Recreate or RollingUpdate.')
param updateStrategy string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.identity
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: names.storage
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' existing = if (access.network) {
  name: '${names.network}/app'
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${names.app}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: scale.zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: names.app
  location: location
  // azd finds the app of the service `api` by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: access.public ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: access.network ? subnet.id : null
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      // Written when empty too, so that removed origins lose their access.
      cors: { allowedOrigins: access.corsOrigins }
    }
    functionAppConfig: {
      runtime: { name: 'node', version: '24' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}package'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.instanceMemoryMB
        maximumInstanceCount: scale.maximumInstanceCount
        alwaysReady: scale.alwaysReadyInstances == 0
          ? []
          : [{ name: 'http', instanceCount: scale.alwaysReadyInstances }]
        // A question mostly waits for the model, so that one instance can answer many. The platform's own limit (16 with
        // 2048 MB) is for functions that compute.
        triggers: { http: { perInstanceConcurrency: scale.httpConcurrency } }
      }
      // Absent for the platform's default, because not every region has the other one. The types of Bicep lack it, the API has
      // had it since 2024-11-01: learn.microsoft.com/azure/azure-functions/flex-consumption-site-updates
      #disable-next-line BCP037
      siteUpdateStrategy: updateStrategy == 'Recreate' ? null : { type: updateStrategy }
    }
  }

  // Publishing needs an identity too.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

output url string = 'https://${app.properties.defaultHostName}'
